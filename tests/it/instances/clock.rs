//! The clock is set forwards or backwards by an hour, whatever is under way.

use bookgate::standin::calcom::{Fault, When};

use super::*;

const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[tokio::test]
async fn a_call_in_flight_while_the_clock_is_set_is_made_once() {
    for step_ms in [HOUR_MS, -HOUR_MS] {
        run_test(Setup::default(), async |it: &mut Installation| {
            it.top_up("5").await;
            let held = it.cal.pause_next(confirming());
            let uid = it.book(72).await.uid;
            held.reached().await;
            it.clock.advance_ms(step_ms);
            it.gate().wake();
            // What comes in meanwhile is worked by the new time, and finds the other still in hand.
            let other = it.book(96).await.uid;
            accepted(it, &other).await;
            assert_eq!(changing_calls(it, &uid), 1, "one call in flight");
            held.release();
            it.settle().await;
            for uid in [&uid, &other] {
                assert_eq!(it.status_at_cal(uid), "accepted");
                assert_eq!(attempts(it, uid).await, ["ok"]);
                assert_eq!(changing_calls(it, uid), 1);
                let seen = it.booking(uid).await;
                assert_eq!(seen["decisions"].as_array().unwrap().len(), 1, "{seen}");
            }
            it.pass_ms(HOUR_MS + MINUTE_MS).await;
            it.assert_balance("1", "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_retry_that_waits_while_the_clock_is_set_comes_at_most_as_much_later() {
    for (step_ms, wait_ms) in [(HOUR_MS, 0), (-HOUR_MS, HOUR_MS + MINUTE_MS)] {
        run_test(Setup::default(), async |it: &mut Installation| {
            it.top_up("5").await;
            let refusal = Fault::Status(408);
            it.cal.fail_next(confirming(), When::BeforeWork, refusal);
            let uid = it.book(72).await.uid;
            it.settle().await;
            assert_eq!(attempts(it, &uid).await, ["transient"]);
            it.pass_ms(step_ms).await;
            it.pass_ms(wait_ms).await;
            assert_eq!(attempts(it, &uid).await, ["transient", "ok"]);
            assert_eq!(it.status_at_cal(&uid), "accepted");
            it.pass_ms(HOUR_MS + MINUTE_MS).await;
            it.assert_balance("3", "0").await;
        })
        .await;
    }
}
