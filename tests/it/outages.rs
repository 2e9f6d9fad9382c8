//! The provider is away for hours. Whatever waits for it costs no attempt and hardly a call, and goes on
//! by itself when it is back.

use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::{Fault, Matcher, Operation};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Installation, Setup, noon, run_test};

const MINUTE_MS: i64 = 60_000;
/// Longer than all waits of the default schedule together.
const OUTAGE_MINUTES: i64 = 180;
/// Calls in that time, at the most: five that open the circuit, the doubling waits from 5 s to 5 min, then
/// one each 4 min or more; a change has a read before it.
const CALLS_MAX: usize = 2 * (5 + 7 + 45);

async fn calls_of(it: &Installation, uid: &Uid) -> Vec<Value> {
    it.booking(uid).await["calls"].as_array().unwrap().clone()
}

/// How often the provider was in vain told of a booking.
async fn failures(it: &Installation, uid: &Uid) -> usize {
    let calls = calls_of(it, uid).await;
    let attempts = calls
        .iter()
        .flat_map(|call| call["attempts"].as_array().unwrap());
    attempts
        .filter(|attempt| {
            ["transient", "unknown"]
                .iter()
                .any(|word| attempt["result"] == *word)
        })
        .count()
}

async fn failing_since(it: &Installation) -> Value {
    let (_, sources) = it.get("/v1/sources").await;
    sources["items"][0]["failing_since"].clone()
}

async fn pass_minutes(it: &Installation, minutes: i64) {
    for _ in 0..minutes {
        it.pass_ms(MINUTE_MS).await;
    }
}

/// Some bookings meet an outage, and more come in during it.
async fn outage(setup: Setup, calls: Matcher, fault: Fault) {
    run_test(setup, async |it: &mut Installation| {
        it.top_up("100").await;
        it.cal.fail_all(calls.clone(), fault);
        let mut uids = Vec::new();
        for hour in 0..8 {
            uids.push(it.book(72 + hour).await.uid);
        }
        it.settle().await;
        let before = it.cal.calls().len();
        pass_minutes(it, OUTAGE_MINUTES / 2).await;
        uids.push(it.book(90).await.uid);
        pass_minutes(it, OUTAGE_MINUTES / 2).await;
        let made = it.cal.calls().len() - before;
        assert!(made <= CALLS_MAX, "{made} calls");
        assert_eq!(
            it.counted("source_circuit", "calcom").await.get(""),
            Some(&1)
        );
        assert_eq!(failing_since(it).await, noon().to_string());
        let ready = it.raw_public(Method::GET, "/readyz").send().await.unwrap();
        assert_eq!(
            (ready.status().as_u16(), ready.text().await.unwrap()),
            (200, "ok".into())
        );
        let mut most = 0;
        for uid in &uids {
            assert_eq!(calls_of(it, uid).await[0]["state"], "open");
            most = most.max(failures(it, uid).await);
        }
        assert!(most > 0, "somebody has to look");

        it.cal.clear_faults();
        pass_minutes(it, 7).await;
        for uid in &uids {
            assert_eq!(it.status_at_cal(uid), "accepted");
            assert_eq!(it.cal.effective_calls(uid).len(), 1);
        }
        assert_eq!(it.counted("source_circuit", "calcom").await.get(""), None);
        assert_eq!(failing_since(it).await, Value::Null);
        it.assert_balance("82", "0").await;
    })
    .await;
}

#[tokio::test]
async fn connections_that_are_reset() {
    outage(Setup::default(), Matcher::any(), Fault::Reset).await;
}

#[tokio::test]
async fn answers_that_are_5xx_under_a_rate_limit() {
    let setup = Setup {
        requests_per_minute: 120,
        ..Setup::default()
    };
    outage(setup, Matcher::any(), Fault::Status(503)).await;
}

#[tokio::test]
async fn pages_for_people() {
    let setup = Setup {
        dialect: "v1",
        ..Setup::default()
    };
    outage(setup, Matcher::any(), Fault::Html(200)).await;
}

#[tokio::test]
async fn only_changes_fail() {
    let confirm = Matcher::operation(Operation::Confirm);
    outage(Setup::default(), confirm, Fault::Status(502)).await;
}

/// One booking that the provider cannot work is no outage: it ends as a dead letter, and nobody else waits.
#[tokio::test]
async fn one_booking_that_always_fails_is_no_outage() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.cal
            .fail_all(Matcher::operation(Operation::Confirm), Fault::Status(500));
        let uid = it.book(72).await.uid;
        it.settle().await;
        pass_minutes(it, OUTAGE_MINUTES).await;
        assert_eq!(it.counted("source_circuit", "calcom").await.get(""), None);
        let (_, listed) = it.get("/v1/dead-letters").await;
        assert_eq!(listed["items"][0]["booking"], uid.as_str(), "{listed}");
        assert_eq!(listed["items"][0]["tries"], 6, "{listed}");
        it.cal.clear_faults();
        it.admin(Method::POST, "/v1/dead-letters/retries", Some(json!({})))
            .await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
    })
    .await;
}

/// A lonely booking finds the outage out all by itself, and has all its attempts left afterwards.
#[tokio::test]
async fn an_outage_gives_back_the_attempts_it_took() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.cal.fail_all(Matcher::any(), Fault::Status(503));
        let uid = it.book(72).await.uid;
        it.settle().await;
        pass_minutes(it, OUTAGE_MINUTES).await;
        assert!(
            failures(it, &uid).await > 6,
            "more than the schedule allows"
        );
        // It is back, but does not like the key: that counts, from the first on.
        it.cal.clear_faults();
        it.cal
            .fail_all(Matcher::operation(Operation::Confirm), Fault::Status(401));
        pass_minutes(it, 120).await;
        let (_, listed) = it.get("/v1/dead-letters").await;
        assert_eq!(listed["items"][0]["tries"], 6, "{listed}");
        it.cal.clear_faults();
        it.admin(Method::POST, "/v1/dead-letters/retries", Some(json!({})))
            .await;
        it.settle().await;
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn what_began_meanwhile_is_given_up_as_ever() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("20").await;
        it.cal.fail_all(Matcher::any(), Fault::Reset);
        let mut uids = Vec::new();
        for hour in 1..7 {
            uids.push(it.book(hour).await.uid);
        }
        it.settle().await;
        pass_minutes(it, 120).await;
        let (_, listed) = it.get("/v1/dead-letters").await;
        let dead = listed["items"].as_array().unwrap();
        assert!(
            !dead.is_empty(),
            "whoever was tried and has begun is given up"
        );
        let begun = [uids[0].as_str(), uids[1].as_str()];
        for letter in dead {
            assert!(
                begun.contains(&letter["booking"].as_str().unwrap()),
                "{letter}"
            );
            assert!(
                letter["note"].as_str().unwrap().contains("began at"),
                "{letter}"
            );
        }
        it.cal.clear_faults();
        pass_minutes(it, 7).await;
        for uid in &uids[2..] {
            assert_eq!(it.status_at_cal(uid), "accepted");
        }
        let force = json!({"force": true});
        let (_, listed) = it.get("/v1/dead-letters").await;
        for letter in listed["items"].as_array().unwrap() {
            let path = format!("/v1/dead-letters/{}/retry", letter["id"]);
            assert_eq!(
                it.admin(Method::POST, &path, Some(force.clone())).await.0,
                202
            );
        }
        it.settle().await;
    })
    .await;
}

#[tokio::test]
async fn reconciliation_keeps_away_and_makes_up_for_it() {
    let setup = Setup {
        reconcile_ms: MINUTE_MS,
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let unheard = it.book(72).await.uid;
        it.cal.fail_all(Matcher::any(), Fault::Status(503));
        let before = it.cal.calls().len();
        pass_minutes(it, OUTAGE_MINUTES).await;
        let made = it.cal.calls().len() - before;
        assert!(made <= CALLS_MAX, "{made} calls in {OUTAGE_MINUTES} runs");
        assert_eq!(it.job("reconcile").await["report"]["failed"], 1);
        it.cal.clear_faults();
        pass_minutes(it, 8).await;
        assert_eq!(it.status_at_cal(&unheard), "accepted");
    })
    .await;
}
