//! What is old is forgotten, and nothing that comes of it.

use bookgate::domain::clock::plus_ms;
use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::OutgoingWebhook;
use serde_json::Value;

use crate::harness::{Installation, Setup, noon, run_test};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Delivers what is held until no more comes, and keeps a copy of it.
async fn deliver(it: &Installation, told: &mut Vec<OutgoingWebhook>) {
    loop {
        let webhooks = it.cal.take_outbox();
        if webhooks.is_empty() {
            return;
        }
        for webhook in webhooks {
            it.deliver(&webhook).await;
            told.push(webhook);
        }
        it.settle().await;
    }
}

/// Kind, rows: what retention would remove now.
async fn old(it: &Installation) -> Vec<(String, i64)> {
    let (status, lines) = it.get("/v1/retention").await;
    assert_eq!(status, 200, "{lines}");
    let line = |line: &Value| {
        let what = line["what"].as_str().unwrap().to_owned();
        (what, line["rows"].as_i64().unwrap())
    };
    lines.as_array().unwrap().iter().map(line).collect()
}

/// One that took place, one that the host confirmed and the booker cancelled, one that was moved, one
/// that was refused.
async fn a_week_of_bookings(it: &Installation, told: &mut Vec<OutgoingWebhook>) {
    it.top_up("6").await;
    it.hold_webhooks();
    it.book(72).await;
    deliver(it, told).await;
    let by_hand = it.book(96).await.uid;
    it.cal.confirm_by_host(&by_hand).await.unwrap();
    deliver(it, told).await;
    it.cal
        .cancel_by_booker(&by_hand, Some("ill"))
        .await
        .unwrap();
    deliver(it, told).await;
    let moved = it.book(120).await.uid;
    deliver(it, told).await;
    let later = plus_ms(noon(), 144 * HOUR_MS);
    it.cal
        .reschedule_by_booker(&moved, later, None)
        .await
        .unwrap();
    deliver(it, told).await;
    it.book(168).await;
    deliver(it, told).await;
    it.book(192).await;
    deliver(it, told).await;
    it.assert_balance("0", "0").await;
}

#[tokio::test]
async fn an_old_webhook_that_comes_again_is_not_decided_or_charged_again() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let mut told = Vec::new();
        a_week_of_bookings(it, &mut told).await;
        it.pass_ms(HOUR_MS).await;
        let (_, before) = it.get("/v1/bookings?limit=200").await;

        it.pass_ms(500 * DAY_MS).await;
        it.pass_ms(DAY_MS).await;
        assert!(old(it).await.iter().all(|(_, rows)| *rows == 0));
        let uid = Uid::new(before["items"][0]["uid"].as_str().unwrap());
        let shown = it.booking(&uid).await;
        assert_eq!(
            shown["deliveries"],
            Value::Array(Vec::new()),
            "their rows are gone"
        );
        assert_eq!(shown["calls"], Value::Array(Vec::new()));
        assert_eq!(
            shown["decisions"].as_array().unwrap().len(),
            1,
            "this one stays"
        );
        let calls = it.cal.calls().len();

        // Nobody knows them by their digest any more, and there is credit that could be taken.
        it.top_up("100").await;
        for webhook in told.iter().chain(told.iter().rev()) {
            it.deliver(webhook).await;
            it.settle().await;
        }
        it.assert_balance("100", "0").await;
        assert_eq!(it.cal.calls().len(), calls, "the provider is left alone");
        let (_, after) = it.get("/v1/bookings?limit=200").await;
        assert_eq!(lines(&after), lines(&before));
        for line in after["items"].as_array().unwrap() {
            let uid = Uid::new(line["uid"].as_str().unwrap());
            let decisions = it.booking(&uid).await["decisions"].clone();
            for decision in decisions.as_array().unwrap() {
                assert_eq!(decision["round"], 1);
            }
        }
    })
    .await;
}

/// The lines but for the time of their last change, by uid.
fn lines(page: &Value) -> Vec<String> {
    let mut lines: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().remove("updated_at");
            line.to_string()
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_webhook_is_known_again_long_after_its_body_is_gone() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let mut told = Vec::new();
        a_week_of_bookings(it, &mut told).await;
        let count = i64::try_from(told.len()).unwrap();
        it.pass_ms(31 * DAY_MS - 1).await;
        assert_eq!(
            old(it).await[0],
            ("delivery_bodies".to_owned(), 0),
            "removed"
        );
        for webhook in &told {
            it.deliver(webhook).await;
        }
        it.settle().await;
        it.pass_ms(31 * DAY_MS).await;
        let (status, lines) = it
            .admin(reqwest::Method::POST, "/v1/retention/runs", None)
            .await;
        assert_eq!(status, 202, "{lines}");
        it.settle().await;
        // Copies would have bodies of their own, and the second month would have found them.
        it.pass_ms(400 * DAY_MS).await;
        it.pass_ms(DAY_MS).await;
        assert!(count > 10 && old(it).await.iter().all(|(_, rows)| *rows == 0));
    })
    .await;
}

#[tokio::test]
async fn a_move_of_what_is_long_over_is_decided_like_any_other() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let old = it.book(72).await.uid;
        it.settle().await;
        it.assert_balance("3", "0").await;
        it.pass_ms(500 * DAY_MS).await;
        it.assert_balance("3", "0").await;
        let again = plus_ms(noon(), 510 * DAY_MS);
        let moved = it
            .cal
            .reschedule_by_booker(&old, again, None)
            .await
            .unwrap();
        it.settle().await;
        assert_eq!(it.booking(&moved.uid).await["outcome"], "accept");
        assert_eq!(it.booking(&old).await["status"], "superseded");
        it.assert_balance("3", "0").await;
    })
    .await;
}
