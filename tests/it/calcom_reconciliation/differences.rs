//! What was done at Cal.com without our hearing of it.

use bookgate::domain::clock::{Clock, ms_between, plus_ms};
use bookgate::standin::calcom::Booking;

use super::{HOUR_MS, MINUTE_MS, counts, reconcile, reconciling, status};
use crate::harness::{Installation, Setup, noon, run_test};

/// Ada's booking, accepted and paid with two of five; from now on nobody hears of anything.
async fn paid_and_deaf(it: &Installation) -> Booking {
    it.settle().await;
    it.top_up("5").await;
    let booking = it.book(72).await;
    it.settle().await;
    it.assert_balance("3", "0").await;
    // Long after, so that nothing is explained by its own webhooks.
    it.pass_ms(14 * MINUTE_MS).await;
    it.hold_webhooks();
    booking
}

#[tokio::test]
async fn a_confirm_by_hand_is_followed_and_paid() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("1").await;
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "rejected");
        it.top_up("4").await;
        it.pass_ms(14 * MINUTE_MS).await;
        it.hold_webhooks();
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        let report = reconcile(it).await;
        assert_eq!(report["why"]["accepted"], 1, "{report}");
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        assert_eq!(status(it, &booking.uid).await, "accepted");
        it.assert_balance("3", "0").await;
        it.deliver_all().await;
        it.pass_ms(11_000).await;
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_confirm_by_hand_of_what_was_left_to_a_person_is_paid() {
    let setup = Setup {
        policies: Vec::new(),
        ..reconciling()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.booking(&booking.uid).await["outcome"], "defer");
        it.hold_webhooks();
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        reconcile(it).await;
        let seen = it.booking(&booking.uid).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"]),
            (&"accepted".into(), &"accept".into())
        );
    })
    .await;
}

#[tokio::test]
async fn a_cancel_is_followed_by_the_terms_of_whoever_cancelled() {
    // Booked 72 hours ahead; called off 60 or 40 hours before, found 20 hours before.
    for (by_host, before_hours, left) in [(false, 60, "5"), (false, 40, "4"), (true, 40, "5")] {
        run_test(reconciling(), async |it: &mut Installation| {
            let booking = paid_and_deaf(it).await;
            it.stop().await;
            let until = |hours: i64| plus_ms(noon(), (72 - hours) * HOUR_MS);
            it.clock
                .advance_ms(ms_between(it.clock.now(), until(before_hours)));
            if by_host {
                it.cal.cancel_by_host(&booking.uid, Some("ill")).await
            } else {
                it.cal.cancel_by_booker(&booking.uid, None).await
            }
            .unwrap();
            it.clock.advance_ms(ms_between(it.clock.now(), until(20)));
            it.begin().await;
            it.settle().await;
            it.pass_ms(11_000).await;
            assert_eq!(status(it, &booking.uid).await, "cancelled");
            it.assert_balance(left, "0").await;
            it.deliver_all().await;
            it.assert_balance(left, "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_decline_and_a_cancel_of_what_waits_cost_nothing() {
    let setup = Setup {
        policies: Vec::new(),
        ..reconciling()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        let (declined, cancelled) = (it.book(72).await, it.book(80).await);
        it.settle().await;
        it.hold_webhooks();
        it.cal.decline_by_host(&declined.uid, None).await.unwrap();
        it.cal.cancel_by_booker(&cancelled.uid, None).await.unwrap();
        let report = reconcile(it).await;
        assert_eq!(report["why"]["rejected"], 1, "{report}");
        assert_eq!(report["why"]["cancelled"], 1, "{report}");
        assert_eq!(status(it, &declined.uid).await, "rejected");
        assert_eq!(status(it, &cancelled.uid).await, "cancelled");
        assert!(it.cal.effective_calls(&declined.uid).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_move_by_the_booker_is_decided_and_carries_what_was_paid() {
    run_test(reconciling(), async |it: &mut Installation| {
        let old = paid_and_deaf(it).await;
        let start = it.request("consultation", 90).start;
        let new = it.cal.reschedule_by_booker(&old.uid, start, None);
        let new = new.await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        assert_eq!(status(it, &old.uid).await, "superseded");
        assert_eq!(status(it, &new.uid).await, "accepted");
        assert_eq!(it.status_at_cal(&new.uid), "accepted");
        it.assert_balance("3", "0").await;
        it.deliver_all().await;
        it.assert_balance("3", "0").await;
        assert_eq!(counts(&reconcile(it).await)[1..], [0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_move_by_the_host_stands_whatever_the_booker_has_left() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        let old = it.book(72).await;
        it.settle().await;
        it.hold_webhooks();
        let start = it.request("consultation", 90).start;
        let new = it.cal.reschedule_by_host(&old.uid, start, None).await;
        let new = new.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        let seen = it.booking(&new.uid).await;
        assert_eq!(seen["status"], "accepted", "{seen}");
        assert_eq!(seen["decisions"][1]["decided_by"], "carried", "{seen}");
        it.assert_balance("0", "0").await;
        assert!(it.cal.effective_calls(&new.uid).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_booking_called_off_and_brought_back_unheard_of_is_followed_twice() {
    run_test(reconciling(), async |it: &mut Installation| {
        let booking = paid_and_deaf(it).await;
        it.cal.cancel_by_booker(&booking.uid, None).await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        it.assert_balance("5", "0").await;
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        assert_eq!(status(it, &booking.uid).await, "accepted");
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        it.assert_balance("3", "0").await;
        assert_eq!(counts(&reconcile(it).await)[1..], [0, 0]);
    })
    .await;
}
