//! What a run asks of Cal.com: as many calls as there are pages, and patience where it is asked for.

use std::time::Duration;

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use serde_json::Value;

use super::{HOUR_MS, MINUTE_MS, asked_since, counts, reconcile, reconciling};
use crate::harness::{Installation, Setup, run_test, run_test_on_file};

#[tokio::test]
async fn without_a_difference_only_the_two_lists_are_asked_for() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("6").await;
        let mut booked = Vec::new();
        for place in 0..5 {
            booked.push(it.book(72 + place).await);
            it.settle().await;
        }
        // Accepted, refused, cancelled, moved by either side: all is known.
        it.cal.cancel_by_booker(&booked[0].uid, None).await.unwrap();
        let start = it.request("consultation", 200).start;
        let moved = it.cal.reschedule_by_booker(&booked[1].uid, start, None);
        moved.await.unwrap();
        let start = it.request("consultation", 220).start;
        let moved = it.cal.reschedule_by_host(&booked[2].uid, start, None);
        moved.await.unwrap();
        it.pass_ms(11_000).await;
        let before = it.cal.calls().len();
        let report = reconcile(it).await;
        assert_eq!(counts(&report), [7, 0, 0], "{report}");
        assert_eq!(asked_since(it, before), [Operation::List, Operation::List]);
        // Nor is what has not changed for long gone through again.
        it.pass_ms(3 * HOUR_MS).await;
        it.pass_ms(20 * MINUTE_MS).await;
        let before = it.cal.calls().len();
        assert_eq!(counts(&reconcile(it).await), [0, 0, 0]);
        assert_eq!(asked_since(it, before), [Operation::List, Operation::List]);
    })
    .await;
}

#[tokio::test]
async fn whose_key_it_is_is_asked_once() {
    run_test_on_file(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        reconcile(it).await;
        let asked = asked_since(it, 0);
        let me = asked.iter().filter(|call| **call == Operation::Me);
        assert_eq!(me.count(), 1, "{asked:?}");
    })
    .await;
}

#[tokio::test]
async fn all_pages_are_gone_through_while_what_is_found_leaves_the_list() {
    run_test_on_file(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.hold_webhooks();
        for place in 0..510 {
            // Some are changed at the same moment.
            it.clock.advance_ms(place % 3);
            it.book(72 + place).await;
        }
        let before = it.cal.calls().len();
        let report = reconcile(it).await;
        assert_eq!(report["why"]["missed"], 510, "{report}");
        let waiting = it.cal.bookings().into_iter();
        let waiting = waiting.filter(|booking| booking.status.as_str() == "pending");
        assert_eq!(waiting.count(), 0);
        let asked = asked_since(it, before).into_iter();
        let lists = asked.filter(|call| *call == Operation::List).count();
        // Three pages of what waits and three of what has changed. What we answer meanwhile leaves the
        // one, and stands at the end of the other once more.
        assert!((5..=8).contains(&lists), "{lists}");
        assert_eq!(counts(&reconcile(it).await)[1..], [0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_one_moment_does_not_end_the_list() {
    let setup = Setup {
        source: "created = \"observe\"",
        ..reconciling()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        it.settle().await;
        it.hold_webhooks();
        for place in 0..260 {
            it.cal.book(it.request("chat", 72 + place)).await.unwrap();
        }
        let report = reconcile(it).await;
        assert_eq!(report["why"]["missed"], 260, "{report}");
        let (_, bookings) = it.get("/v1/bookings?limit=200").await;
        assert_eq!(bookings["items"].as_array().unwrap().len(), 200);
    })
    .await;
}

/// Lets time pass until the run is over.
async fn finished(it: &Installation, ended_before: &Value) -> Value {
    loop {
        let job = it.job("reconcile").await;
        if job["ended_at"] != *ended_before {
            return job["report"].clone();
        }
        it.clock.advance_ms(200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_limit_midway_is_waited_for() {
    run_test_on_file(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("20").await;
        it.hold_webhooks();
        for place in 0..4 {
            it.book(72 + place).await;
        }
        it.clock.advance_ms(1_000);
        let limited = Fault::RateLimited {
            retry_after_s: Some(2),
        };
        let list = || Matcher::operation(Operation::List);
        it.cal.fail_next(list(), When::BeforeWork, limited);
        let ended = it.job("reconcile").await["ended_at"].clone();
        it.order_run("reconcile").await;
        let report = finished(it, &ended).await;
        it.settle().await;
        assert_eq!(report["failed"], Value::Null, "{report}");
        assert_eq!(report["sources"]["calcom"]["why"]["missed"], 4);
        it.assert_balance("12", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_source_that_fails_is_told_of_and_what_it_missed_is_made_up_for() {
    run_test_on_file(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let paid = it.cal.book(it.request("chat", 72)).await.unwrap();
        let list = Matcher::operation(Operation::List);
        it.cal.fail_next(list, When::BeforeWork, Fault::Status(401));
        let told = reconcile(it).await;
        let why = told["failed"].as_str().unwrap();
        assert!(why.contains("401"), "{told}");
        assert_eq!(it.job("reconcile").await["report"]["failed"], 1);
        let counted = it.counted("reconciled_total", "calcom").await;
        assert_eq!(counted.get("failed"), Some(&1), "{counted:?}");
        // Cal.com stays away for hours; nothing of what changed meanwhile is passed over.
        for _ in 0..20 {
            let list = Matcher::operation(Operation::List);
            it.cal.fail_next(list, When::BeforeWork, Fault::Status(503));
            it.pass_ms(16 * MINUTE_MS).await;
        }
        it.cal.clear_faults();
        it.pass_ms(16 * MINUTE_MS).await;
        assert_eq!(it.booking(&paid.uid).await["outcome"], "accept");
        it.assert_balance("0", "0").await;
    })
    .await;
}
