//! What happens between our look and our call.

use bookgate::domain::clock::plus_ms;
use bookgate::standin::calcom::{Matcher, Operation};

use crate::harness::{Installation, Setup, noon, run_test};

#[tokio::test]
async fn a_cancel_between_our_look_and_our_confirm_is_made_good() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let pause = it.cal.pause_next(Matcher::operation(Operation::Confirm));
        let booking = it.book(72).await;
        pause.reached().await;
        it.cal
            .cancel_by_booker(&booking.uid, Some("changed my mind"))
            .await
            .unwrap();
        pause.release();
        it.settle().await;
        it.pass_ms(11_000).await;
        assert_eq!(
            it.status_at_cal(&booking.uid),
            "cancelled",
            "our confirm had revived it"
        );
        assert!(it.cal.live().is_empty());
        it.assert_balance("5", "0").await;
        assert_eq!(it.booking(&booking.uid).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_move_between_our_look_and_our_confirm_is_made_good() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        let pause = it.cal.pause_next(Matcher::operation(Operation::Confirm));
        let old = it.book(72).await;
        pause.reached().await;
        let new = it
            .cal
            .reschedule_by_booker(&old.uid, plus_ms(noon(), 96 * 3_600_000), None)
            .await
            .unwrap();
        pause.release();
        it.settle().await;
        it.pass_ms(11_000).await;
        assert_eq!(
            it.status_at_cal(&old.uid),
            "cancelled",
            "our confirm had revived it"
        );
        assert_eq!(it.status_at_cal(&new.uid), "accepted");
        assert_eq!(it.cal.live().len(), 1);
        it.assert_balance("0", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_cancel_whose_webhook_comes_after_our_confirm_is_made_good() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        let requested = it.cal.take_outbox();
        let pause = it.cal.pause_next(Matcher::operation(Operation::Confirm));
        it.deliver(&requested[0]).await;
        pause.reached().await;
        it.cal.cancel_by_booker(&booking.uid, None).await.unwrap();
        let cancelled = it.cal.take_outbox();
        pause.release();
        it.settle().await;
        assert_eq!(
            it.status_at_cal(&booking.uid),
            "accepted",
            "revived, and nobody told us yet"
        );
        for webhook in &cancelled {
            it.deliver(webhook).await;
        }
        it.settle().await;
        it.deliver_all().await;
        assert_eq!(it.status_at_cal(&booking.uid), "cancelled");
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_cancel_before_we_look_means_no_call_at_all() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        it.cal.cancel_by_booker(&booking.uid, None).await.unwrap();
        it.deliver_all().await;
        assert!(it.cal.effective_calls(&booking.uid).is_empty());
        it.assert_balance("5", "0").await;
    })
    .await;
}
