//! API v1 lists neither what waits nor what has changed: there, what is known is read again.

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};

use super::{MINUTE_MS, asked_since, counts, reconcile, reconciling, status};
use crate::harness::{Installation, Setup, run_test, run_test_on_file};

fn v1() -> Setup {
    Setup {
        dialect: "v1",
        ..reconciling()
    }
}

#[tokio::test]
async fn what_was_done_unheard_of_to_known_bookings_is_followed() {
    run_test(v1(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("5").await;
        let (cancelled, kept) = (it.book(72).await, it.book(80).await);
        it.settle().await;
        it.assert_balance("1", "0").await;
        it.pass_ms(14 * MINUTE_MS).await;
        it.hold_webhooks();
        it.cal.cancel_by_booker(&cancelled.uid, None).await.unwrap();
        let before = it.cal.calls().len();
        let report = reconcile(it).await;
        assert_eq!(counts(&report), [2, 1, 0], "{report}");
        assert_eq!(asked_since(it, before), [Operation::Read, Operation::Read]);
        it.pass_ms(11_000).await;
        assert_eq!(status(it, &cancelled.uid).await, "cancelled");
        assert_eq!(status(it, &kept.uid).await, "accepted");
        it.assert_balance("3", "0").await;
        // What was called off may be brought back by hand, until it would have ended.
        it.cal.confirm_by_host(&cancelled.uid).await.unwrap();
        let report = reconcile(it).await;
        assert_eq!(counts(&report), [2, 1, 0], "{report}");
        it.pass_ms(11_000).await;
        assert_eq!(status(it, &cancelled.uid).await, "accepted");
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_run_reads_so_many_and_the_next_goes_on_behind_them() {
    let setup = Setup {
        policies: Vec::new(),
        ..v1()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        it.settle().await;
        for place in 0..130 {
            it.book(72 + place).await;
        }
        it.settle().await;
        for expected in [100, 30, 100] {
            assert_eq!(counts(&reconcile(it).await), [expected, 0, 0]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_is_not_to_be_had_is_told_of_and_stays_as_it_is() {
    let setup = Setup {
        policies: Vec::new(),
        ..v1()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        it.settle().await;
        let (gone, other) = (it.book(72).await, it.book(80).await);
        it.settle().await;
        let read = Matcher::operation(Operation::Read).of(&gone.uid);
        it.cal.fail_next(read, When::BeforeWork, Fault::Status(403));
        let report = reconcile(it).await;
        assert_eq!(counts(&report), [2, 0, 1], "{report}");
        assert_eq!(report["why"]["missing"], 1);
        for booking in [&gone, &other] {
            assert_eq!(status(it, &booking.uid).await, "pending");
        }
    })
    .await;
}
