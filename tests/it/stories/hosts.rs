//! A host who acts by hand.

use crate::harness::{Installation, Setup, run_test};

#[tokio::test]
async fn a_host_who_confirms_first_is_respected_and_the_booking_is_paid() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        it.deliver_all().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        assert!(it.cal.effective_calls(&booking.uid).is_empty());
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_host_who_confirms_what_the_booker_cannot_pay_waives_it() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("1").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        it.deliver_all().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        it.assert_balance("1", "0").await;
        assert_eq!(it.booking(&booking.uid).await["outcome"], "accept");
    })
    .await;
}

#[tokio::test]
async fn a_host_who_confirms_is_overruled_where_the_rules_say_so() {
    let setup = Setup {
        source: "host_confirm = \"enforce\"",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("1").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        it.deliver_all().await;
        assert_eq!(it.status_at_cal(&booking.uid), "cancelled");
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_host_who_confirms_what_we_declined_is_followed() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("1").await;
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "rejected");
        it.pass_ms(3_600_000).await;
        it.top_up("4").await;
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        it.settle().await;
        it.pass_ms(11_000).await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        let seen = it.booking(&booking.uid).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"]),
            (&"accepted".into(), &"accept".into())
        );
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_host_who_confirms_what_the_booker_cancelled_is_followed() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        it.pass_ms(3_600_000).await;
        it.cal.cancel_by_booker(&booking.uid, None).await.unwrap();
        it.settle().await;
        it.assert_balance("5", "0").await;
        it.pass_ms(3_600_000).await;
        it.cal.confirm_by_host(&booking.uid).await.unwrap();
        it.settle().await;
        it.pass_ms(11_000).await;
        assert_eq!(it.booking(&booking.uid).await["status"], "accepted");
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_host_who_declines_or_cancels_costs_the_booker_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        it.pass_ms(70 * 3_600_000).await;
        it.cal
            .cancel_by_host(&booking.uid, Some("ill"))
            .await
            .unwrap();
        it.settle().await;
        it.assert_balance("5", "0").await;

        it.hold_webhooks();
        let other = it.book(100).await;
        it.cal.decline_by_host(&other.uid, None).await.unwrap();
        it.deliver_all().await;
        assert_eq!(it.status_at_cal(&other.uid), "rejected");
        it.assert_balance("5", "0").await;
    })
    .await;
}
