//! What people do at Cal.com, and what becomes of it.

use crate::harness::{Installation, Setup, run_test};

#[tokio::test]
async fn a_booking_with_credit_is_confirmed_and_paid() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        it.assert_balance("3", "0").await;
        let seen = it.booking(&booking.uid).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"]),
            (&"accepted".into(), &"accept".into())
        );
        assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_booking_without_credit_is_declined_with_the_reason() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("1.5").await;
        let booking = it.book(72).await;
        it.settle().await;
        let row = it.cal.booking(&booking.uid).unwrap();
        assert_eq!(row.status.as_str(), "rejected");
        assert_eq!(
            row.rejection_reason.unwrap(),
            "This costs 2 credits and you have 1.5."
        );
        it.assert_balance("1.5", "0").await;
    })
    .await;
}
