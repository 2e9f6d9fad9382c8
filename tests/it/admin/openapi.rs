//! The description of the admin API is true: every route is in it and the other way round, every operation
//! answers as it says, and requests made up from it, sensible and not, are never answered otherwise.
//! (Every other story's answers are held against it, too: `harness::openapi`.)

mod made_up;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};

use self::made_up::Inventor;
use super::{ask, get, post, top_up};
use crate::harness::openapi::{DOCUMENT, fit, is_valid};
use crate::harness::{
    ADMIN_TOKEN, CREDIT_POLICY, Installation, READ_TOKEN, SECRET, Setup, run_test,
};

/// How often each operation is asked something made up.
const ROUNDS: usize = 40;
/// What is asked at the admin door and is no API.
const NOT_API: [&str; 3] = ["/metrics", "/livez", "/readyz"];

/// Method and path of every operation that is described, with the operation.
fn described() -> Vec<(Method, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            let method = method.to_ascii_uppercase().parse().unwrap();
            (method, path.as_str(), operation)
        })
    });
    operations.collect()
}

#[test]
fn every_route_is_described_and_the_other_way_round() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/mod.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let (_, admin) = source.split_once("pub fn admin(").unwrap();
    let path = Regex::new(r#"^\s*"([^"]+)""#).unwrap();
    let method = Regex::new(r"\b(get|post|put|patch|delete)\(").unwrap();
    let mut routes = BTreeSet::new();
    for route in admin.split(".route(").skip(1) {
        let path = path.captures(route).unwrap().get(1).unwrap().as_str();
        // What follows the last route is no part of it.
        let route = route.split(".fallback").next().unwrap();
        let route = route.split(".method_not_allowed").next().unwrap();
        let all: Vec<_> = method.captures_iter(route).collect();
        assert!(!all.is_empty(), "{path}: no method was found");
        for method in all {
            routes.insert((method[1].to_ascii_uppercase(), path.to_owned()));
        }
    }
    routes.retain(|(_, path)| path.starts_with("/v1/") || NOT_API.contains(&path.as_str()));
    let described = described().into_iter();
    let described: BTreeSet<_> = described
        .map(|(method, path, _)| (method.to_string(), path.to_owned()))
        .collect();
    assert_eq!(routes, described);
}

#[test]
fn the_description_is_whole() {
    let names = DOCUMENT["components"]["schemas"].as_object().unwrap();
    for name in names.keys() {
        let place = format!("#/components/schemas/{name}");
        assert!(!is_valid(&place, &json!(17)), "{name} takes anything");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in described() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} stands for two");
        assert!(["read", "credits", "admin"].contains(&operation["x-role"].as_str().unwrap()));
        let parts: BTreeSet<_> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{'))
            .collect();
        let named = operation["parameters"].as_array().unwrap().iter();
        let named = named.filter(|one| one["in"] == "path");
        let named: BTreeSet<_> = named.map(|one| one["name"].as_str().unwrap()).collect();
        let parts: BTreeSet<_> = parts
            .iter()
            .map(|part| part.trim_end_matches('}'))
            .collect();
        assert_eq!(parts, named, "{method} {path}");
        let content = &operation["requestBody"]["content"]["application/json"];
        if let Some(schema) = content["schema"]["$ref"].as_str() {
            fit(schema, &content["example"].to_string(), id);
        }
    }
}

#[tokio::test]
async fn it_is_told_to_everybody_and_says_who_may_what() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let told = ask(it.raw_admin(Method::GET, "/v1/openapi.json")).await;
        assert_eq!((told.status, &told.body), (200, &*DOCUMENT));
        for (method, path, operation) in described() {
            let path = example_path(path, operation);
            let open = operation["security"].is_array();
            let without = ask(it.raw_admin(method.clone(), &path)).await.status;
            assert_eq!(without == 401, !open, "{method} {path}: {without}");
            let reader = it.raw_admin(method.clone(), &path).bearer_auth(READ_TOKEN);
            let reader = ask(reader).await.status;
            let reads = operation["x-role"] == "read";
            assert_eq!(reader == 403, !reads, "{method} {path}: {reader}");
            for other in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let known = &DOCUMENT["paths"][template_of(operation)][other.to_ascii_lowercase()];
                if known.is_null() {
                    let other: Method = other.parse().unwrap();
                    let request = it.raw_admin(other.clone(), &path).bearer_auth(ADMIN_TOKEN);
                    assert_eq!(ask(request).await.status, 405, "{other} {path}");
                }
            }
        }
    })
    .await;
}

fn template_of(operation: &Value) -> &'static str {
    let id = &operation["operationId"];
    let mut all = described().into_iter();
    all.find(|(_, _, one)| one["operationId"] == *id).unwrap().1
}

/// A path with its examples filled in.
fn example_path(path: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in operation["parameters"].as_array().unwrap() {
        let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
        let example = &parameter["example"];
        let example = example
            .as_str()
            .map_or_else(|| example.to_string(), str::to_owned);
        path = path.replace(&name, &example);
    }
    path
}

/// Consultations cost credit, chats are left to a person, and a call that is refused is given up soon.
fn busy() -> Setup {
    Setup {
        policies: vec![(
            "consultations.toml",
            format!("{CREDIT_POLICY}\n[match]\nevent_types = [\"consultation\"]\n"),
        )],
        worker: "retry_schedule_ms = [1000]",
        ..Setup::default()
    }
}

/// One thing of each kind: a booking that stands, one left to a person, a dead letter, a webhook that is
/// not understood. Gives the names of all, for paths.
async fn make_everything(it: &Installation) -> BTreeMap<&'static str, Vec<String>> {
    it.top_up("9").await;
    let stands = it.book(72).await.uid;
    it.settle().await;
    let left = it.cal.book(it.request("chat", 80)).await.unwrap().uid;
    it.settle().await;
    for _ in 0..2 {
        let confirm = Matcher::operation(Operation::Confirm);
        it.cal
            .fail_next(confirm, When::BeforeWork, Fault::Status(401));
    }
    let dead = it.book(96).await.uid;
    it.settle().await;
    it.pass_ms(2_000).await;
    let hook = it.raw_public(Method::POST, "/webhooks/calcom");
    let signed = hook
        .header("x-cal-signature-256", signature(b"hello"))
        .body("hello");
    assert_eq!(signed.send().await.unwrap().status(), 200);
    it.settle().await;
    let letters = ask(get(it, "/v1/dead-letters")).await.body;
    let deliveries = ask(get(it, "/v1/deliveries?state=unparsed")).await.body;
    let id = |list: &Value| list["items"][0]["id"].to_string();
    BTreeMap::from([
        (
            "owner",
            vec![
                "ada@reader.example".to_owned(),
                "Bob@Reader.example".to_owned(),
            ],
        ),
        ("source", vec!["calcom".to_owned()]),
        (
            "reference",
            [stands, left, dead].map(|uid| uid.to_string()).to_vec(),
        ),
        ("id", vec![id(&letters), id(&deliveries)]),
        ("name", vec!["retention:facts".to_owned()]),
    ])
}

fn signature(body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Gives every operation a request that it can carry out.
async fn drive(it: &Installation, known: &BTreeMap<&'static str, Vec<String>>) {
    let bookings = &known["reference"];
    let (letter, delivery) = (&known["id"][0], &known["id"][1]);
    let mut done = BTreeSet::new();
    let mut ok = |operation: &'static str, status: u16| {
        assert!((200..300).contains(&status), "{operation}: {status}");
        done.insert(operation);
    };
    for (_, path, operation) in described()
        .iter()
        .filter(|(method, ..)| method == Method::GET)
    {
        let id = operation["operationId"].as_str().unwrap();
        let path = match id {
            "showAccount" | "listEntries" | "showTags" => {
                path.replace("{owner}", "ada@reader.example")
            }
            "showBooking" => format!("/v1/bookings/calcom/{}", bookings[0]),
            "explainBooking" => format!("/v1/bookings/calcom/{}/explanation", bookings[0]),
            "showDelivery" => format!("/v1/deliveries/{delivery}"),
            "showDeadLetter" => format!("/v1/dead-letters/{letter}"),
            _ => (*path).to_owned(),
        };
        ok(id, ask(get(it, &path)).await.status);
    }
    let body = json!({"amount": "5", "unit": "CREDIT"});
    let path = "/v1/accounts/ada@reader.example/top-ups";
    ok("topUp", ask(top_up(it, path, "driven", &body)).await.status);
    let again = ask(top_up(it, path, "driven", &body)).await;
    assert_eq!((again.status, again.replayed), (201, true));
    let other = json!({"amount": "6", "unit": "CREDIT"});
    assert_eq!(ask(top_up(it, path, "driven", &other)).await.status, 422);
    let body = json!({"amount": "1", "unit": "CREDIT", "reason": "typed 5 for 4"});
    let path = "/v1/accounts/ada@reader.example/deductions";
    let deducted = ask(top_up(it, path, "driven", &body)).await;
    ok("deduct", deducted.status);
    for (operation, path, body) in [
        (
            "decideBooking",
            format!("/v1/bookings/calcom/{}/decision", bookings[1]),
            json!({"accept": true, "waive_credits": true}),
        ),
        (
            "changeTags",
            "/v1/accounts/ada@reader.example/tags".to_owned(),
            json!({"add": ["vip"]}),
        ),
        (
            "replayDelivery",
            format!("/v1/deliveries/{delivery}/replay"),
            Value::Null,
        ),
        (
            "replayDeliveries",
            "/v1/deliveries/replays".to_owned(),
            json!({"state": "unparsed"}),
        ),
        (
            "purgeDeadLetters",
            "/v1/dead-letters/purges".to_owned(),
            json!({}),
        ),
        (
            "retryDeadLetters",
            "/v1/dead-letters/retries".to_owned(),
            json!({"dry_run": true}),
        ),
        (
            "retryDeadLetter",
            format!("/v1/dead-letters/{letter}/retry"),
            json!({}),
        ),
        (
            "runJob",
            "/v1/jobs/retention:facts/runs".to_owned(),
            Value::Null,
        ),
        (
            "reloadPolicies",
            "/v1/policies/reload".to_owned(),
            Value::Null,
        ),
        ("runRetention", "/v1/retention/runs".to_owned(), Value::Null),
    ] {
        let request = post(it, &path);
        let request = match body {
            Value::Null => request,
            body => request.json(&body),
        };
        ok(operation, ask(request).await.status);
        it.settle().await;
    }
    let other = json!({"accept": false, "reason": "We are closed that week."});
    let again = post(it, &format!("/v1/bookings/calcom/{}/decision", bookings[1]));
    assert_eq!(ask(again.json(&other)).await.status, 409);
    let all = described().into_iter();
    let all: BTreeSet<_> = all
        .map(|(_, _, one)| one["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(done, all, "every operation is driven");
}

#[tokio::test]
async fn every_operation_answers_as_it_is_described_whatever_it_is_asked() {
    run_test(busy(), async |it: &mut Installation| {
        let known = make_everything(it).await;
        drive(it, &known).await;
        let mut inventor = Inventor::new(known);
        let mut answered: BTreeMap<u16, usize> = BTreeMap::new();
        for _ in 0..ROUNDS {
            for (method, path, operation) in described() {
                let request = inventor.request(it, &method, path, operation);
                let status = ask(request.bearer_auth(ADMIN_TOKEN)).await.status;
                assert!(status < 500, "{method} {path}: {status}");
                *answered.entry(status).or_default() += 1;
            }
        }
        it.settle().await;
        // Sensible ones were among them, and others.
        for status in [200, 201, 202, 400, 404] {
            assert!(answered.contains_key(&status), "{answered:?}");
        }
    })
    .await;
}
