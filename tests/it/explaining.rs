//! Past decisions are explained from what was kept with them, and come out the same: whatever has become
//! of the policies since.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::harness::{CREDIT_POLICY, Installation, Setup, run_test, run_test_on_file};

const HOUSE: &str = r#"
schema = 1
[policy]
id = "house"
kind = "guardrail"
[[criterion]]
id = "not-blocked"
kind = "deny-list"
list = { file = "lists/blocked.txt" }
message = "Not you."
[[criterion]]
id = "in-time"
kind = "use"
policy = "times"
group = "early"
"#;
const TIMES: &str = r#"
schema = 1
[policy]
id = "times"
mode = "off"
[groups]
early = { all = ["notice"] }
[[criterion]]
id = "notice"
kind = "notice"
min = "24h"
"#;
/// Has a price, and no criterion that looks whether it can be paid.
const UNASKED: &str =
    "schema = 1\n[policy]\nid = \"unasked\"\n[credits]\ncost = { base = \"3\" }\n";

fn setup() -> Setup {
    Setup {
        policies: vec![
            ("credits.toml", CREDIT_POLICY.to_owned()),
            ("house.toml", HOUSE.to_owned()),
            ("times.toml", TIMES.to_owned()),
            (
                "lists/blocked.txt",
                "eve@example.org\n*.spam.example # why\n".to_owned(),
            ),
        ],
        ..Setup::default()
    }
}

async fn explanation(it: &Installation, uid: &str) -> Value {
    let path = format!("/v1/bookings/calcom/{uid}/explanation");
    let (status, told) = it.get(&path).await;
    assert_eq!(status, 200, "{told}");
    told
}

/// The policies are others from now on.
async fn replace(it: &Installation, name: &str, text: &str) {
    let folder = it.folder().join("policies");
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    let (status, told) = it.admin(Method::POST, "/v1/policies/reload", None).await;
    assert_eq!(status, 200, "{told}");
}

#[tokio::test]
async fn an_old_decision_comes_out_the_same_without_its_policies() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("2").await;
        let accepted = it.book(72).await.uid.to_string();
        it.settle().await;
        let refused = it.book(96).await.uid.to_string();
        it.settle().await;
        let before = explanation(it, &accepted).await;

        replace(it, "unasked.toml", UNASKED).await;
        let unasked = it.book(100).await.uid.to_string();
        it.settle().await;
        it.stop().await;
        fs::remove_dir_all(it.folder().join("policies")).unwrap();
        fs::create_dir(it.folder().join("policies")).unwrap();
        it.begin().await;

        let after = explanation(it, &accepted).await;
        assert_eq!(after, before);
        let decision = &after["decisions"][0];
        assert_eq!(decision["outcome"], "accept");
        let same = json!({"result": "same", "engine": env!("CARGO_PKG_VERSION"), "why": []});
        assert_eq!(decision["remade"], same);
        let asked: Vec<_> = decision["policies"].as_array().unwrap().iter().collect();
        let asked: Vec<_> = asked
            .iter()
            .map(|one| (&one["id"], &one["asked"]))
            .collect();
        let (yes, no) = (&json!(true), &json!(false));
        assert_eq!(
            asked,
            [
                (&json!("house"), yes),
                (&json!("credits"), yes),
                (&json!("times"), no)
            ]
        );

        let decision = &explanation(it, &refused).await["decisions"][0];
        assert_eq!(
            (&decision["outcome"], &decision["remade"]),
            (&json!("reject"), &same)
        );
        // The balance that the price was held against is a fact like any other.
        let decision = &explanation(it, &unasked).await["decisions"][0];
        assert_eq!(
            (&decision["outcome"], &decision["remade"]),
            (&json!("reject"), &same)
        );
        let account = &decision["facts"]["account"]["known"]["balances"]["CREDIT"];
        assert_eq!(account["available"], 0, "{decision}");
        assert_ne!(decision["set_hash"], after["decisions"][0]["set_hash"]);
    })
    .await;
}

/// Somebody has been at the database by hand.
#[tokio::test]
async fn what_does_not_come_out_the_same_is_told() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        it.top_up("2").await;
        let uid = it.book(72).await.uid.to_string();
        it.settle().await;
        let file = SqliteConnectOptions::new().filename(it.folder().join("bookgate.db"));
        let mut database = file.connect().await.unwrap();
        let poorer =
            "UPDATE decision SET facts = replace(facts, '\"available\":200', '\"available\":100')";
        let changed = sqlx::query(poorer).execute(&mut database).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
        let remade = &explanation(it, &uid).await["decisions"][0]["remade"];
        assert_eq!(remade["result"], "differs", "{remade}");
        let why: Vec<&str> = remade["why"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let told = |what: &str| why.iter().any(|why| why.starts_with(what));
        assert!(told("the verdict: was {\"outcome\":\"accept\""), "{why:?}");
        assert!(told("criterion credits/has-credit: was "), "{why:?}");

        let lost = sqlx::query("DELETE FROM policy_set")
            .execute(&mut database)
            .await;
        assert_eq!(lost.unwrap().rows_affected(), 1);
        let decision = &explanation(it, &uid).await["decisions"][0];
        assert_eq!(decision["outcome"], "accept");
        assert_eq!(decision["remade"]["result"], "impossible", "{decision}");
    })
    .await;
}

#[tokio::test]
async fn what_a_person_decided_is_told_and_not_made_again() {
    run_test(
        Setup {
            policies: vec![],
            ..Setup::default()
        },
        async |it: &mut Installation| {
            let uid = it.book(72).await.uid.to_string();
            it.settle().await;
            let path = format!("/v1/bookings/calcom/{uid}/decision");
            let body = json!({"accept": true});
            assert_eq!(it.admin(Method::POST, &path, Some(body)).await.0, 200);
            it.settle().await;
            let told = explanation(it, &uid).await;
            let remade: Vec<_> = told["decisions"].as_array().unwrap().iter().collect();
            let remade: Vec<_> = remade.iter().map(|one| &one["remade"]["result"]).collect();
            assert_eq!(remade, [&json!("same"), &json!("not_by_policy")]);
            let (status, _) = it.get("/v1/bookings/calcom/nobody/explanation").await;
            assert_eq!(status, 404);
        },
    )
    .await;
}
