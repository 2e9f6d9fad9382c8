//! The machine's clock jumps, by an hour, in either direction, while work is in hand: leases look
//! expired or look good for an hour, calls look overdue, retries are put off. Nothing is lost by it,
//! and nothing happens twice.

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};

use crate::harness::{Installation, Setup, run_test};
use crate::rig::{Random, seed};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const BOOKINGS: i64 = 12;

async fn step_during_a_call(step_ms: i64) {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let hanging = it.cal.pause_next(Matcher::operation(Operation::Confirm));
        let uid = it.book(72).await.uid;
        it.deliver(&it.cal.take_outbox()[0]).await;
        hanging.reached().await;
        it.clock.advance_ms(step_ms);
        // Something else to do, so that the worker looks for chains that are free.
        let other = it.book(80).await.uid;
        for webhook in it.cal.take_outbox() {
            it.deliver(&webhook).await;
        }
        hanging.release();
        it.settle().await;
        for uid in [&uid, &other] {
            let status = it.status_at_cal(uid);
            assert_eq!(status, "accepted", "{}", it.booking(uid).await);
            assert_eq!(it.cal.effective_calls(uid).len(), 1);
        }
        it.deliver_all().await;
        it.pass_ms(2 * HOUR_MS).await;
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn the_clock_jumps_ahead_during_a_call() {
    step_during_a_call(HOUR_MS).await;
}

#[tokio::test]
async fn the_clock_jumps_back_during_a_call() {
    step_during_a_call(-HOUR_MS).await;
}

#[tokio::test]
async fn what_is_to_be_tried_again_is_tried_after_the_clock_was_set_back() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let confirm = Matcher::operation(Operation::Confirm);
        it.cal
            .fail_next(confirm, When::BeforeWork, Fault::Status(408));
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.clock.advance_ms(-HOUR_MS);
        it.pass_ms(HOUR_MS + MINUTE_MS).await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
    })
    .await;
}

/// Bookings, faults and steps as they come.
#[tokio::test]
async fn the_clock_jumps_at_random_under_faults() {
    let seed = seed();
    run_test(Setup::default(), async |it: &mut Installation| {
        let mut random = Random(seed);
        it.top_up("100").await;
        it.hold_webhooks();
        let mut uids = Vec::new();
        for number in 0..BOOKINGS {
            let when = [When::BeforeWork, When::AfterWork][random.place(2)];
            let faults = [Fault::Reset, Fault::Status(500), Fault::Html(502)];
            let operation = [Operation::Confirm, Operation::Read][random.place(2)];
            it.cal.fail_next(
                Matcher::operation(operation),
                when,
                faults[random.place(faults.len())],
            );
            uids.push(it.book(72 + number).await.uid);
            for webhook in it.cal.take_outbox() {
                it.deliver(&webhook).await;
            }
            // Work is in hand just now, mostly.
            it.clock.advance_ms([-HOUR_MS, 0, HOUR_MS][random.place(3)]);
            if random.below(2) == 0 {
                it.settle().await;
            }
        }
        // What was put off by steps back, and is tried again, comes in its own time.
        for _ in 0..BOOKINGS {
            it.pass_ms(2 * HOUR_MS).await;
            it.deliver_all().await;
        }
        for uid in &uids {
            assert_eq!(it.status_at_cal(uid), "accepted");
            assert_eq!(it.cal.effective_calls(uid).len(), 1, "{uid}");
            let booking = it.booking(uid).await;
            assert_eq!(booking["decisions"].as_array().unwrap().len(), 1);
        }
        it.assert_balance(&(100 - 2 * BOOKINGS).to_string(), "0")
            .await;
    })
    .await;
}
