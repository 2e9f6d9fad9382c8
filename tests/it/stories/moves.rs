//! Bookings that are moved: a new id each time, one booking to people.

use bookgate::domain::clock::plus_ms;

use crate::harness::{Installation, Setup, noon, run_test};

#[tokio::test]
async fn a_move_by_the_booker_is_decided_again_and_carries_the_credit() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        let old = it.book(72).await;
        it.settle().await;
        it.assert_balance("0", "0").await;
        it.pass_ms(60_000).await;
        let new = it
            .cal
            .reschedule_by_booker(&old.uid, plus_ms(noon(), 96 * 3_600_000), None)
            .await
            .unwrap();
        it.settle().await;
        assert_eq!(it.status_at_cal(&new.uid), "accepted");
        assert_eq!(it.booking(&old.uid).await["status"], "superseded");
        it.assert_balance("0", "0").await;
        assert_eq!(it.cal.live().len(), 1);
        let seen = it.booking(&new.uid).await;
        assert_eq!(
            seen["chain"].as_array().unwrap().len(),
            2,
            "one booking, two ids"
        );
    })
    .await;
}

/// At least three days ahead.
const NOTICE: &str = r#"
schema = 1
[policy]
id = "ahead"
[credits]
unit = "CREDIT"
cost = { base = "2" }
[[criterion]]
id = "ahead"
kind = "notice"
min = "72h"
message = "Please book at least {min} ahead."
[[criterion]]
id = "has-credit"
kind = "credit"
[require]
all = ["ahead", "has-credit"]
"#;

#[tokio::test]
async fn a_move_that_is_refused_returns_everything() {
    let setup = Setup {
        policies: vec![("ahead.toml", NOTICE.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("2").await;
        let old = it.book(100).await;
        it.settle().await;
        it.pass_ms(60_000).await;
        let new = it
            .cal
            .reschedule_by_booker(&old.uid, plus_ms(noon(), 24 * 3_600_000), None)
            .await
            .unwrap();
        it.settle().await;
        assert_eq!(it.status_at_cal(&new.uid), "rejected");
        assert!(it.cal.live().is_empty());
        it.assert_balance("2", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_move_by_the_booker_that_needs_no_confirmation_is_decided_too() {
    let setup = Setup {
        policies: vec![("ahead.toml", NOTICE.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("2").await;
        let old = it.cal.book(it.request("chat", 100)).await.unwrap();
        it.settle().await;
        it.pass_ms(60_000).await;
        let new = it
            .cal
            .reschedule_by_booker(&old.uid, plus_ms(noon(), 24 * 3_600_000), None)
            .await
            .unwrap();
        it.settle().await;
        assert_eq!(
            it.status_at_cal(&new.uid),
            "cancelled",
            "booked far ahead, moved near"
        );
        it.assert_balance("2", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_move_by_the_host_is_observed_and_carries() {
    let setup = Setup {
        policies: vec![("ahead.toml", NOTICE.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("2").await;
        let old = it.book(100).await;
        it.settle().await;
        it.pass_ms(60_000).await;
        let new = it
            .cal
            .reschedule_by_host(&old.uid, plus_ms(noon(), 24 * 3_600_000), None)
            .await
            .unwrap();
        it.settle().await;
        assert_eq!(it.status_at_cal(&new.uid), "accepted");
        it.assert_balance("0", "0").await;
        let seen = it.booking(&new.uid).await;
        let by: Vec<_> = seen["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["decided_by"].as_str().unwrap())
            .collect();
        assert_eq!(by, ["policy", "carried"]);
        for decision in seen["decisions"].as_array().unwrap() {
            assert_eq!(decision["engine"], env!("CARGO_PKG_VERSION"));
            assert!(decision["trace"].is_array(), "{decision}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_chain_of_moves_is_paid_once_and_refunded_once() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        let mut at = it.book(100).await;
        it.settle().await;
        for hours in [110, 120, 130] {
            it.pass_ms(60_000).await;
            at = it
                .cal
                .reschedule_by_booker(&at.uid, plus_ms(noon(), hours * 3_600_000), None)
                .await
                .unwrap();
            it.settle().await;
            it.assert_balance("0", "0").await;
        }
        assert_eq!(it.cal.live().len(), 1);
        it.pass_ms(60_000).await;
        it.cal.cancel_by_booker(&at.uid, None).await.unwrap();
        it.settle().await;
        it.assert_balance("2", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_request_to_choose_another_time_is_the_hosts_cancel() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        let booking = it.book(72).await;
        it.settle().await;
        // Late enough for the booker's own cancel to cost half.
        it.pass_ms(60 * 3_600_000).await;
        it.cal
            .request_reschedule_by_host(&booking.uid, "ill")
            .await
            .unwrap();
        it.settle().await;
        it.assert_balance("2", "0").await;
    })
    .await;
}
