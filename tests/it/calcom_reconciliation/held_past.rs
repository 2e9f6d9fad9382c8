//! Appointments that are past, with credit still held for them.

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use serde_json::json;

use super::{HOUR_MS, asked_since, reconcile, reconciling, status};
use crate::harness::{Installation, Setup, run_test};

const DIALECTS: [(&str, Operation); 2] = [("v2", Operation::Confirm), ("v1", Operation::Patch)];

fn speaking(dialect: &'static str) -> Setup {
    Setup {
        dialect,
        ..reconciling()
    }
}

/// A booking that costs two of five, and cannot be confirmed.
async fn stuck(it: &Installation, confirm: Operation) -> bookgate::standin::calcom::Booking {
    it.settle().await;
    it.top_up("5").await;
    let confirm = Matcher::operation(confirm);
    it.cal
        .fail_next(confirm, When::BeforeWork, Fault::Status(422));
    let booking = it.book(72).await;
    it.settle().await;
    it.assert_balance("5", "2").await;
    booking
}

#[tokio::test]
async fn what_was_never_answered_is_given_back_once_it_is_past() {
    for (dialect, confirm) in DIALECTS {
        run_test(speaking(dialect), async |it: &mut Installation| {
            let booking = stuck(it, confirm).await;
            it.pass_ms(71 * HOUR_MS).await;
            reconcile(it).await;
            it.assert_balance("5", "2").await;
            let before = it.cal.calls().len();
            it.pass_ms(3 * HOUR_MS).await;
            it.assert_balance("5", "0").await;
            let asked = asked_since(it, before);
            assert!(asked.contains(&Operation::Read), "{asked:?}");
            assert_eq!(it.status_at_cal(&booking.uid), "pending");
            let (_, letters) = it.get("/v1/dead-letters").await;
            assert_eq!(letters["items"], json!([]));
            let report = reconcile(it).await;
            assert_eq!(report["repaired"], 0, "{report}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_was_confirmed_after_all_is_paid_once_it_is_past() {
    for (dialect, confirm) in DIALECTS {
        run_test(speaking(dialect), async |it: &mut Installation| {
            let booking = stuck(it, confirm).await;
            it.hold_webhooks();
            it.stop().await;
            it.cal.confirm_by_host(&booking.uid).await.unwrap();
            it.clock.advance_ms(75 * HOUR_MS);
            it.begin().await;
            it.settle().await;
            let report = reconcile(it).await;
            assert_eq!(report["deferred"], 0, "{report}");
            assert_eq!(status(it, &booking.uid).await, "accepted");
            it.assert_balance("3", "0").await;
        })
        .await;
    }
}
