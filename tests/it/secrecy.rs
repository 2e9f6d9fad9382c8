//! Whatever is logged, at every level of every crate: no secret and no person stands in it. The real process
//! is led through what goes well and what goes wrong, with words that stand nowhere else.

use std::sync::Arc;

use bookgate::domain::clock::{Clock, SystemClock, plus_ms};
use bookgate::standin::calcom::{
    BookingRequest, Delivery, Fault, Matcher, Operation, Options, Person, StandIn, Subscription,
    When,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::harness::CREDIT_POLICY;
use crate::rig::daemon::Post;
use crate::rig::postgres::Postgres;

/// What must not be said. Each is given to the daemon somewhere below.
const HIDDEN: [&str; 15] = [
    "signing-secret-Quolla",
    "signing-secret-Brantik",
    "cal_key_Wexomir",
    "admin-token-Zyffera",
    "guessed-token-Plunkor",
    "Tm90aWNlc1NlY3JldFZlbGRyaW5CeXRlcw",
    "otlp-header-Ostrava",
    "Grimaldine",
    "hush-hush.example",
    "Somebody.Else",
    "payload-marker-Dorvik",
    "postgres-password-Ulmenau",
    "crm-token-Vexilo",
    "crm-key-Tramontane-long-enough-to-sign",
    "list-token-Morvane",
];
const SECRET: &str = HIDDEN[0];
const API_KEY: &str = HIDDEN[2];
const ADMIN: &str = HIDDEN[3];
const MARKER: &str = HIDDEN[10];
const PERSON: &str = "grimaldine@hush-hush.example";

/// As Cal.com signs.
fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Asks a server that answers with what it was told, and gets nowhere.
fn asking(elsewhere: &str) -> String {
    format!(
        r#"
schema = 1
[policy]
id = "asking"
kind = "guardrail"
[[criterion]]
id = "crm"
kind = "http"
url = "{elsewhere}/check?marker={MARKER}"
allow_http = true
send = ["booker.email", "booker.name", "booking.uid"]
auth = {{ bearer = {{ secret = "env:CRM" }} }}
sign = {{ hmac_sha256 = {{ secret = "env:CRM_KEY" }} }}
on_error = "pass"
"#
    )
}

fn settings(post: &Post, url: &str, base: &str, elsewhere: &str) -> String {
    format!(
        r#"
[server]
listen = "{public}"
admin_listen = "{admin}"
[storage]
url = "{url}"
tls = "disable"
[admin.tokens.ops]
role = "admin"
secret = "env:ADMIN"
[worker]
retry_schedule_ms = [50, 50]
[sources.calcom]
provider = "calcom"
signing_secrets = ["env:SECRET", "env:OLDER"]
[sources.calcom.api]
base_url = "{base}"
key = "env:KEY"
requests_per_minute = 0
[notices.ops]
url = "{elsewhere}/hook"
secrets = ["env:NOTICES"]
[telemetry.otlp]
endpoint = "{elsewhere}"
authorization = "env:OTLP"
[callouts]
hosts = ["127.0.0.1"]
allow_private = ["127.0.0.1"]
[log]
format = "json"
level = "trace"
"#,
        public = post.public,
        admin = post.admin,
    )
}

/// Refuses whoever is on a server's list.
fn listed(id: &str, list: &str) -> String {
    format!(
        r#"
schema = 1
[policy]
id = "{id}"
kind = "guardrail"
[[criterion]]
id = "not-blocked"
kind = "deny-list"
list = {{ url = "{list}?marker={MARKER}", allow_http = true, token = {{ secret = "env:LIST" }} }}
"#
    )
}

/// Answers everything with 500 and the words that it was sent, but for two lists, of which one is none.
async fn echoes() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let echo = async |body: String| (axum::http::StatusCode::INTERNAL_SERVER_ERROR, body);
    let list = async || PERSON;
    let wrong = async || format!("{PERSON}\n@{PERSON}\n");
    let app = axum::Router::new().fallback(echo);
    let app = app.route("/list", axum::routing::get(list));
    let app = app.route("/wrong", axum::routing::get(wrong));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn whatever_happens(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let notices = format!("whsec_{}==", HIDDEN[5]);
    let env = [
        ("SECRET", SECRET),
        ("OLDER", HIDDEN[1]),
        ("KEY", API_KEY),
        ("ADMIN", ADMIN),
        ("NOTICES", &notices),
        ("OTLP", HIDDEN[6]),
        ("CRM", HIDDEN[12]),
        ("CRM_KEY", HIDDEN[13]),
        ("LIST", HIDDEN[14]),
        // Everything that anybody has to say.
        ("BOOKGATE_LOG", "trace"),
    ];
    let env = env.map(|(name, value)| (name, value.to_owned())).to_vec();
    let post = Post::new(folder.path(), env);
    let policies = post.folder.join("policies");
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(policies.join("credits.toml"), CREDIT_POLICY).unwrap();
    let options = Options {
        api_key: API_KEY.to_owned(),
        delivery: Delivery::Held,
        ..Options::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cal = StandIn::start(listener, Arc::new(SystemClock), options).unwrap();
    let elsewhere = echoes().await;
    std::fs::write(policies.join("asking.toml"), asking(&elsewhere)).unwrap();
    post.write_settings(&settings(&post, url, &cal.base_url(), &elsewhere));
    let http = crate::rig::client();
    let daemon = post.start(&http).await;
    let webhooks = format!("http://{}/webhooks/calcom", post.public);
    cal.subscribe(Subscription::to_everything(webhooks.clone(), SECRET))
        .unwrap();
    let admin = format!("http://{}", post.admin);

    // What goes well.
    let top_up = http
        .post(format!("{admin}/v1/accounts/{PERSON}/top-ups"))
        .bearer_auth(ADMIN)
        .header("Idempotency-Key", "one")
        .json(&json!({"amount": "3", "unit": "CREDIT", "reason": "for Grimaldine"}));
    assert!(top_up.send().await.unwrap().status().is_success());
    let book = async |hours: i64| {
        let start = plus_ms(SystemClock.now(), hours * 3_600_000);
        let person = Person::new("Grimaldine Hush", PERSON);
        let uid = cal
            .book(BookingRequest::new("consultation", start, person))
            .await
            .unwrap()
            .uid;
        for webhook in cal.take_outbox() {
            assert_eq!(cal.deliver(&webhook).await.unwrap(), 200);
        }
        uid
    };
    let looked = async |path: &str| -> Value {
        let asked = http
            .get(format!("{admin}{path}"))
            .bearer_auth(ADMIN)
            .send()
            .await;
        asked.unwrap().json().await.unwrap()
    };
    let until = async |path: &str, holds: &dyn Fn(&Value) -> bool| {
        for _ in 0..600 {
            if holds(&looked(path).await) {
                return;
            }
            tokio::time::sleep(crate::rig::POLL).await;
        }
        panic!("{path} stays {}\n{}", looked(path).await, post.log());
    };
    let accepted = book(72).await;
    until(&format!("/v1/bookings/calcom/{accepted}"), &|seen| {
        seen["status"] == "accepted"
    })
    .await;
    // Refused, and told so.
    let refused = book(96).await;
    until(&format!("/v1/bookings/calcom/{refused}"), &|seen| {
        seen["status"] == "rejected"
    })
    .await;

    // What goes wrong at the provider, which repeats in its errors what it was told.
    for status in [400, 401, 403, 422, 500, 503] {
        let decline = Matcher::operation(Operation::Decline);
        cal.fail_next(decline, When::BeforeWork, Fault::Status(status));
    }
    cal.fail_next(
        Matcher::operation(Operation::Read),
        When::BeforeWork,
        Fault::Html(502),
    );
    cal.fail_next(
        Matcher::operation(Operation::Read),
        When::BeforeWork,
        Fault::Reset,
    );
    for hours in 100..104 {
        book(hours).await;
    }
    until("/v1/dead-letters", &|seen| {
        seen["items"].as_array().is_some_and(|all| !all.is_empty())
    })
    .await;

    // What goes wrong at the doors.
    let signed = |body: &str, secret: &str| {
        let signature = signature(secret, body.as_bytes());
        let request = http
            .post(&webhooks)
            .header("x-cal-signature-256", signature);
        request
            .header("content-type", "application/json")
            .body(body.to_owned())
    };
    let broken = format!("{{\"{MARKER}\": \"{PERSON}\", ");
    let odd = json!({"triggerEvent": "BOOKING_REQUESTED", "payload": {"uid": 5, MARKER: PERSON}});
    for (body, secret, status) in [
        (broken.as_str(), SECRET, 200),
        (odd.to_string().as_str(), SECRET, 200),
        (odd.to_string().as_str(), "another secret", 401),
    ] {
        assert_eq!(signed(body, secret).send().await.unwrap().status(), status);
    }
    let unsigned = http
        .post(format!("{webhooks}?key={MARKER}"))
        .body(broken.clone());
    assert_eq!(unsigned.send().await.unwrap().status(), 401);
    let guess = http
        .get(format!("{admin}/v1/accounts/{PERSON}"))
        .bearer_auth(HIDDEN[4]);
    assert_eq!(guess.send().await.unwrap().status(), 401);
    for path in [
        format!("/v1/accounts/{PERSON}/entries"),
        format!("/v1/bookings?booker={PERSON}"),
        format!("/v1/accounts/Somebody.Else@hush-hush.example/{MARKER}"),
    ] {
        looked(&path).await;
    }
    until("/v1/deliveries?state=unparsed", &|seen| {
        seen["items"].as_array().is_some_and(|all| all.len() >= 2)
    })
    .await;

    // What goes well and wrong with lists.
    for (name, expected) in [("list", 200), ("wrong", 422)] {
        let policy = listed(name, &format!("{elsewhere}/{name}"));
        std::fs::write(policies.join(format!("{name}.toml")), policy).unwrap();
        let reload = http.post(format!("{admin}/v1/policies/reload"));
        let reloaded = reload.bearer_auth(ADMIN).send().await.unwrap();
        assert_eq!(reloaded.status(), expected, "{name}");
    }
    assert!(daemon.terminate().await.unwrap().success());
    let said = [
        "a list of a server cannot be had",
        "decided",
        "attempt failed",
        "dead letter",
        "not understood",
        "collector",
    ];
    search(&post, &said);
}

/// Nothing hidden stands in what was logged, which has these words in it.
fn search(post: &Post, said: &[&str]) {
    let text = post.whole_log();
    for word in said {
        assert!(text.contains(word), "`{word}` was not said:\n{text}");
    }
    for line in text.lines() {
        let low = line.to_lowercase();
        for hidden in HIDDEN {
            assert!(
                !low.contains(&hidden.to_lowercase()),
                "`{hidden}` is told: {line}"
            );
        }
        assert!(!line.contains("sha256="), "a signature is told: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_hidden_is_logged_on_a_file() {
    whatever_happens("sqlite://bookgate.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_hidden_is_logged_on_a_server() {
    if let Some(server) = Postgres::shared() {
        whatever_happens(&server.url(&server.create_database())).await;
    }
}

/// A database that is not there, with a password in its URL: the daemon takes webhooks and waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_s_password_is_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://bookgate:{}@127.0.0.1:1/nowhere", HIDDEN[11]);
    let env = [
        ("SECRET", SECRET),
        ("OLDER", HIDDEN[1]),
        ("KEY", API_KEY),
        ("ADMIN", ADMIN),
        ("NOTICES", &format!("whsec_{}==", HIDDEN[5])),
        ("OTLP", HIDDEN[6]),
        ("URL", &url),
        ("BOOKGATE_LOG", "trace"),
    ];
    let env = env.map(|(name, value)| (name, value.to_owned())).to_vec();
    let post = Post::new(folder.path(), env);
    std::fs::create_dir(post.folder.join("policies")).unwrap();
    let nobody = "http://127.0.0.1:1";
    post.write_settings(&settings(&post, "env:URL", nobody, nobody));
    let http = crate::rig::client();
    let daemon = post.start(&http).await;
    assert!(daemon.terminate().await.is_some());
    search(&post, &["listening"]);
}
