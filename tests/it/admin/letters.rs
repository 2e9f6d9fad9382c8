//! Dead letters: when there are no more tries, and what a person does about them.

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, get, post, refused};
use crate::harness::{Calendly, Installation, READ_TOKEN, Setup, reference, run_test};

const HOUR_MS: i64 = 3_600_000;

/// Has the next confirms refused, as with a key that is wrong.
fn key_is_wrong(it: &Installation, times: usize) {
    for _ in 0..times {
        let confirm = Matcher::operation(Operation::Confirm);
        it.cal
            .fail_next(confirm, When::BeforeWork, Fault::Status(401));
    }
}

fn confirms(it: &Installation) -> usize {
    let calls = it.cal.calls().into_iter();
    calls
        .filter(|call| call.operation == Operation::Confirm)
        .count()
}

async fn letters(it: &Installation, query: &str) -> Vec<Value> {
    let answered = ask(get(it, &format!("/v1/dead-letters{query}"))).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body["items"].as_array().unwrap().clone()
}

async fn ordered(it: &Installation, what: &str, body: &Value) -> Value {
    let path = format!("/v1/dead-letters/{what}");
    let answered = ask(post(it, &path).json(body)).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    it.settle().await;
    answered.body
}

fn count(report: &Value, key: &str) -> usize {
    report[key].as_array().unwrap().len()
}

#[tokio::test]
async fn what_has_begun_is_not_tried_again_by_itself() {
    let setup = Setup {
        worker: "retry_schedule_ms = [5400000, 5400000]",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        key_is_wrong(it, 2);
        let uid = it.book(2).await.uid;
        it.settle().await;
        it.pass_ms(5_400_000).await;
        assert_eq!(confirms(it), 2);
        assert_eq!(letters(it, "").await, [] as [Value; 0]);
        // The third would be due an hour after the beginning.
        it.pass_ms(HOUR_MS / 2).await;
        let dead = letters(it, "").await;
        let note = dead[0]["note"].as_str().unwrap();
        assert!(note.contains("began at 2027-03-01T14:00:00Z"), "{note}");
        assert!(note.contains("401"), "the last answer is kept: {note}");
        assert_eq!(confirms(it), 2);
        it.assert_balance("5", "2").await;

        let retry = format!("/v1/dead-letters/{}/retry", dead[0]["id"]);
        let said = refused(post(it, &retry), 409).await;
        assert!(said.contains("began at 2027-03-01T14:00:00Z"), "{said}");
        let left = ordered(it, "retries", &json!({})).await;
        assert_eq!((count(&left, "done"), count(&left, "left")), (0, 1));
        let purged = ordered(it, "purges", &json!({"source": "calcom"})).await;
        let why = purged["left"][0]["why"].as_str().unwrap();
        assert!(why.contains("credit is still set aside"), "{why}");
        it.assert_balance("5", "2").await;

        let forced = post(it, &retry).json(&json!({"force": true}));
        assert_eq!(ask(forced).await.status, 202);
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn an_appointment_that_has_begun_cannot_be_called_off_and_nobody_goes_on_trying() {
    let setup = Setup {
        calendly: Some(Calendly::default()),
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("1").await;
        it.hold_calendly();
        let booked = it.calendly_book(1).await;
        it.pass_ms(2 * HOUR_MS).await;
        for webhook in it.calendly().take_outbox() {
            it.deliver_of_calendly(&webhook).await;
        }
        it.settle().await;
        let dead = letters(it, "?source=calendly&action=cancel").await;
        let [letter] = &dead[..] else {
            panic!("{dead:?}");
        };
        assert_eq!(
            (&letter["tries"], &letter["holds_credit"]),
            (&1.into(), &false.into())
        );
        let note = letter["note"].as_str().unwrap();
        assert!(note.contains("began at"), "{note}");
        assert!(it.comes(&booked));
        it.assert_balance("1", "0").await;

        let dry = ordered(it, "purges", &json!({"id": letter["id"], "dry_run": true})).await;
        assert_eq!((&dry["dry_run"], count(&dry, "done")), (&true.into(), 1));
        assert_eq!(letters(it, "").await.len(), 1);
        ordered(it, "purges", &json!({"id": letter["id"]})).await;
        assert_eq!(letters(it, "").await.len(), 0);
        let gone = format!("/v1/dead-letters/{}", letter["id"]);
        refused(get(it, &gone), 404).await;
        refused(post(it, &format!("{gone}/retry")), 404).await;
        let log = ask(get(it, "/v1/audit?action=dead_letter.purge"))
            .await
            .body;
        let [entry] = &log["items"].as_array().unwrap()[..] else {
            panic!("{log}");
        };
        assert_eq!(entry["actor"], "token:ops");
        assert_eq!(entry["target"], format!("calendly/{}", reference(&booked)));
        it.pass_ms(24 * HOUR_MS).await;
        assert_eq!(letters(it, "").await.len(), 0, "it is not begun anew");
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(seen["calls"][0]["state"], "dead");
    })
    .await;
}

#[tokio::test]
async fn several_are_tried_again_by_what_they_are() {
    let setup = Setup {
        worker: "retry_schedule_ms = [1000]",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("50").await;
        for hours in [72, 73, 74] {
            key_is_wrong(it, 2);
            it.book(hours).await;
            it.settle().await;
            it.pass_ms(1_000).await;
        }
        let dead = letters(it, "").await;
        assert_eq!(dead.len(), 3);
        let one = format!("/v1/dead-letters/{}", dead[0]["id"]);
        assert_eq!(ask(get(it, &one)).await.body, dead[0]);
        assert_eq!(letters(it, "?action=cancel").await.len(), 0);
        assert_eq!(letters(it, "?source=other").await.len(), 0);
        let since = json!({"since": dead[1]["given_up_at"], "dry_run": true});
        let dry = ordered(it, "retries", &since).await;
        assert_eq!(count(&dry, "done"), 2);
        assert_eq!(letters(it, "").await.len(), 3, "nothing is done");

        let since = json!({"since": dead[1]["given_up_at"]});
        let report = ordered(it, "retries", &since).await;
        let id = |line: &Value| line["id"].clone();
        let done: Vec<_> = report["done"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(done, [dead[1]["id"].clone(), dead[2]["id"].clone()]);
        assert_eq!(letters(it, "").await.len(), 1);
        let rest = ordered(it, "retries", &json!({"action": "confirm"})).await;
        assert_eq!((count(&rest, "done"), &rest["more"]), (1, &false.into()));
        it.assert_balance("44", "0").await;
        let nothing = ordered(it, "retries", &json!({})).await;
        assert_eq!((count(&nothing, "done"), count(&nothing, "left")), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn orders_that_make_no_sense_do_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for (path, body, status) in [
            ("retries", json!({"action": "explode"}), 400),
            ("retries", json!({"since": "yesterday"}), 400),
            ("retries", json!({"all": true}), 400),
            ("retries", json!({"id": 7}), 404),
            ("purges", json!({"id": 7}), 404),
            ("purges", json!({"force": true}), 400),
            ("7/retry", json!({"force": "yes"}), 400),
        ] {
            let path = format!("/v1/dead-letters/{path}");
            refused(post(it, &path).json(&body), status).await;
        }
        for path in ["retries", "purges"] {
            let path = format!("/v1/dead-letters/{path}");
            let reader = it.raw_admin(Method::POST, &path).bearer_auth(READ_TOKEN);
            refused(reader.json(&json!({})), 403).await;
        }
        refused(get(it, "/v1/dead-letters?action=explode"), 400).await;
        refused(get(it, "/v1/dead-letters/7"), 404).await;
    })
    .await;
}
