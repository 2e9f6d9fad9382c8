//! Reconciliation, run by one instance at a time.

use bookgate::standin::calcom::{Matcher, Operation};

use super::POLL;
use super::second::Second;
use crate::harness::{Installation, Setup, run_test_on_server};

const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn a_run_whose_daemon_is_killed_is_taken_up_by_the_next() {
    let setup = Setup {
        reconcile_ms: 15 * MINUTE_MS,
        ..Setup::default()
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let paid = it.cal.book(it.request("chat", 72)).await.unwrap();
        it.stop().await;
        // What the list would have told never arrives.
        let held = it.cal.pause_next(Matcher::operation(Operation::List));
        let second = Second::start(it).await;
        held.reached().await;
        second.die();
        held.release();
        it.begin().await;
        it.settle().await;
        assert!(
            it.job("reconcile").await["running_on"].is_string(),
            "it may still be alive"
        );
        it.clock.advance_ms(MINUTE_MS);
        while it.job("reconcile").await["running_on"].is_string() {
            it.gate().wake();
            tokio::time::sleep(POLL).await;
        }
        it.settle().await;
        assert_eq!(it.booking(&paid.uid).await["outcome"], "accept");
        it.assert_balance("0", "0").await;
    })
    .await;
}
