//! What is counted, and what waits.

use std::collections::BTreeMap;

use bookgate::standin::calcom::{Fault, Matcher};

use super::{ask, refused};
use crate::harness::{
    CREDIT_POLICY, Installation, READ_TOKEN, Setup, run_test, run_test_on_file, run_test_on_server,
};
use crate::instances::second::{Second, settle_both};

#[tokio::test]
async fn what_happened_to_a_booking_is_counted() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        it.book(72).await;
        it.settle().await;
        it.book(96).await;
        it.settle().await;
        let unsigned = it
            .raw_public(reqwest::Method::POST, "/webhooks/calcom")
            .body("{}");
        assert_eq!(unsigned.send().await.unwrap().status(), 401);

        refused(it.raw_admin(reqwest::Method::GET, "/metrics"), 401).await;
        let answered = ask(it
            .raw_admin(reqwest::Method::GET, "/metrics")
            .bearer_auth(READ_TOKEN))
        .await;
        assert_eq!(answered.status, 200);
        assert!(
            answered.kind.starts_with("application/openmetrics-text"),
            "{}",
            answered.kind
        );
        let text = answered.body.as_str().unwrap();
        let of = async |name: &str| it.counted(&format!("{name}_total"), "calcom").await;
        let received = of("webhooks_received").await;
        assert_eq!(received["bad_signature"], 1);
        assert!(received["stored"] >= 4, "two requests, two echoes");
        let filed =
            r#"bookgate_webhooks_filed_total{source="calcom",event="requested",state="event"} 2"#;
        assert!(text.lines().any(|line| line == filed), "{text}");
        let decided = of("decisions").await;
        assert_eq!((decided["accept"], decided["reject"]), (1, 1));
        assert_eq!(of("attempts").await["ok"], 2);
        assert!(!text.contains("example.org"), "nobody's address");
    })
    .await;
}

/// All samples without labels, and those with them as they stand.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    lines.filter_map(sample).collect()
}

async fn scraped(it: &Installation) -> BTreeMap<String, f64> {
    let answered = ask(it
        .raw_admin(reqwest::Method::GET, "/metrics")
        .bearer_auth(READ_TOKEN))
    .await;
    samples(answered.body.as_str().unwrap())
}

#[tokio::test]
async fn what_waits_is_told_with_its_age_and_what_is_rare_begins_at_zero() {
    let policy = format!("{CREDIT_POLICY}\n[match]\nevent_types = [\"consultation\"]\n");
    let setup = Setup {
        policies: vec![("consultations.toml", policy)],
        worker: "retry_schedule_ms = [1000]\ncircuit_failures = 0",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        let seen = scraped(it).await;
        for rare in [
            r#"bookgate_webhooks_received_total{source="calcom",result="not_stored"}"#,
            r#"bookgate_dead_letters_total{source="calcom"}"#,
            r#"bookgate_decisions_total{source="calcom",result="defer",policy="credits"}"#,
            r#"bookgate_provider_calls_total{source="calcom",kind="change",result="unknown"}"#,
            "bookgate_dead_letters_waiting",
            "bookgate_bookings_deferred",
        ] {
            assert_eq!(seen.get(rare), Some(&0.0), "{rare}: {seen:?}");
        }
        assert_eq!(
            (seen["bookgate_store_up"], seen["bookgate_policies"]),
            (1.0, 1.0)
        );
        assert!(seen["process_resident_memory_bytes"] > 1e6 && seen["bookgate_instances"] >= 1.0);

        it.top_up("2").await;
        let deferred = it.cal.book(it.request("chat", 72)).await.unwrap().uid;
        it.settle().await;
        it.cal.fail_all(Matcher::any(), Fault::Status(500));
        it.book(90).await;
        it.settle().await;
        it.pass_ms(1_000).await;
        it.pass_ms(60_000).await;
        let seen = scraped(it).await;
        assert_eq!(seen["bookgate_dead_letters_waiting"], 1.0);
        assert_eq!(seen["bookgate_bookings_deferred"], 1.0);
        assert_eq!(seen["bookgate_booking_deferred_oldest_seconds"], 61.0);
        let calls =
            r#"bookgate_provider_calls_total{source="calcom",kind="read",result="transient"}"#;
        assert_eq!(seen[calls], 2.0);
        let decided =
            r#"bookgate_decisions_total{source="calcom",result="accept",policy="credits"}"#;
        assert_eq!(seen[decided], 1.0);

        it.cal.clear_faults();
        let retry = Some(serde_json::json!({}));
        it.admin(reqwest::Method::POST, "/v1/dead-letters/retries", retry)
            .await;
        let path = format!("/v1/bookings/calcom/{deferred}/decision");
        let refuse = Some(serde_json::json!({"accept": false, "reason": "We are closed."}));
        it.admin(reqwest::Method::POST, &path, refuse).await;
        it.pass_ms(5_000).await;
        let seen = scraped(it).await;
        assert_eq!(seen["bookgate_dead_letters_waiting"], 0.0);
        assert_eq!(seen["bookgate_bookings_deferred"], 0.0);
    })
    .await;
}

#[tokio::test]
async fn the_ledger_is_checked_on_a_schedule() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        it.settle().await;
        assert!(!scraped(it).await.contains_key("bookgate_ledger_violations"));
        it.pass_ms(24 * 3_600_000 + 1).await;
        let seen = scraped(it).await;
        assert_eq!(seen["bookgate_ledger_violations"], 0.0);
        assert_eq!(seen[r#"bookgate_job_failed{name="ledger"}"#], 0.0);
        let ended = seen[r#"bookgate_job_ended_timestamp_seconds{name="ledger"}"#];
        assert_eq!(ended, it.gate().now().as_second() as f64);
    })
    .await;
}

#[tokio::test]
async fn every_daemon_tells_the_same_of_the_store() {
    let policy = format!("{CREDIT_POLICY}\n[match]\nevent_types = [\"chat\"]\n");
    let setup = Setup {
        policies: vec![("chats.toml", policy)],
        ..Setup::default()
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        let second = Second::start(it).await;
        for hour in 72..75 {
            it.book(hour).await;
        }
        settle_both(it, &second).await;
        it.clock.advance_ms(5_000);
        let other = samples(&second.text("/metrics").await);
        let one = scraped(it).await;
        for name in [
            "bookgate_bookings_deferred",
            "bookgate_booking_deferred_oldest_seconds",
        ] {
            assert_eq!(one[name], other[name]);
        }
        assert_eq!(one["bookgate_bookings_deferred"], 3.0);
        second.stopped().await;
    })
    .await;
}
