//! Bookings of which no webhook ever told.

use bookgate::standin::calcom::{Options, Person};

use super::{HOUR_MS, MINUTE_MS, counts, reconcile, reconciling, status};
use crate::harness::{Installation, Setup, noon, run_test};

#[tokio::test]
async fn a_booking_that_waits_unheard_of_is_decided() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let paid = it.book(72).await;
        let report = reconcile(it).await;
        assert_eq!(report["why"]["missed"], 1, "{report}");
        assert_eq!(report["bookings"]["missed"][0], paid.uid.as_str());
        assert_eq!(it.status_at_cal(&paid.uid), "accepted");
        it.assert_balance("0", "0").await;
        // Without being asked for, too.
        let refused = it.book(80).await;
        it.pass_ms(16 * MINUTE_MS).await;
        assert_eq!(it.status_at_cal(&refused.uid), "rejected");
        for booking in [&paid, &refused] {
            assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn the_late_webhooks_of_what_was_found_change_nothing() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        reconcile(it).await;
        it.pass_ms(HOUR_MS).await;
        it.deliver_all().await;
        it.pass_ms(HOUR_MS).await;
        let seen = it.booking(&booking.uid).await;
        assert_eq!(seen["status"], "accepted");
        assert_eq!(seen["decisions"].as_array().unwrap().len(), 1, "{seen}");
        assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        it.assert_balance("0", "0").await;
    })
    .await;
}

#[tokio::test]
async fn notice_is_counted_from_when_it_was_booked() {
    let policy = r#"
schema = 1
[policy]
id = "notice"
[[criterion]]
id = "early"
kind = "notice"
min = "24h"
message = "Too late."
[require]
all = ["early"]
"#;
    let setup = Setup {
        policies: vec![("notice.toml", policy.to_owned())],
        ..reconciling()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        it.stop().await;
        it.hold_webhooks();
        let booking = it.book(26).await;
        // The outage takes what was left of the notice.
        it.clock.advance_ms(4 * HOUR_MS);
        it.begin().await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
    })
    .await;
}

#[tokio::test]
async fn what_was_booked_before_bookgate_came_is_left_alone() {
    let setup = Setup {
        source: "created = \"decide\"",
        ..reconciling()
    };
    run_test(setup, async |it: &mut Installation| {
        it.hold_webhooks();
        it.settle().await;
        it.stop().await;
        it.clock.advance_ms(-HOUR_MS);
        let pending = it.book(72).await;
        let accepted = it.cal.book(it.request("chat", 80)).await.unwrap();
        it.clock.advance_ms(HOUR_MS);
        it.begin().await;
        let report = reconcile(it).await;
        // The one that waits is on both lists.
        assert_eq!(report["why"]["older"], 3, "{report}");
        assert_eq!(report["repaired"], 0);
        assert_eq!(it.status_at_cal(&pending.uid), "pending");
        assert_eq!(it.status_at_cal(&accepted.uid), "accepted");
        let (_, bookings) = it.get("/v1/bookings").await;
        assert_eq!(bookings["items"].as_array().unwrap().len(), 0);
        // A webhook that tells of it makes it one like any other.
        it.deliver_all().await;
        assert_eq!(it.status_at_cal(&pending.uid), "rejected");
    })
    .await;
}

#[tokio::test]
async fn what_the_owner_is_invited_to_is_nobodys_business() {
    let setup = Setup {
        source: "created = \"decide\"",
        ..reconciling()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        let host = || Person::new("Olga Elsewhere", "olga@far.example");
        let start = it.request("chat", 72).start;
        let accepted = it.cal.book_elsewhere(host(), "chat", start).unwrap();
        let start = it.request("chat", 90).start;
        let pending = it.cal.book_elsewhere(host(), "consultation", start);
        let pending = pending.unwrap();
        let report = reconcile(it).await;
        assert_eq!(counts(&report), [3, 0, 0], "{report}");
        assert_eq!(it.status_at_cal(&accepted.uid), "accepted");
        assert_eq!(it.status_at_cal(&pending.uid), "pending");
    })
    .await;
}

#[tokio::test]
async fn a_lost_webhook_of_a_booking_that_stands_at_once_is_made_up_for() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let paid = it.cal.book(it.request("chat", 72)).await.unwrap();
        let refused = it.cal.book(it.request("chat", 80)).await.unwrap();
        let report = reconcile(it).await;
        assert_eq!(report["why"]["missed"], 2, "{report}");
        assert_eq!(it.status_at_cal(&paid.uid), "accepted");
        assert_eq!(it.status_at_cal(&refused.uid), "cancelled");
        it.assert_balance("0", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_series_unheard_of_is_decided_as_one() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.settle().await;
        it.top_up("6").await;
        it.hold_webhooks();
        let request = it.request("consultation", 72);
        let series = it.cal.book_recurring(request, 3).await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        for booking in &series {
            assert_eq!(it.status_at_cal(&booking.uid), "accepted");
            assert_eq!(status(it, &booking.uid).await, "accepted");
        }
        it.assert_balance("0", "0").await;
        let effects: usize = series
            .iter()
            .map(|booking| it.cal.effective_calls(&booking.uid).len())
            .sum();
        assert_eq!(effects, 1);
    })
    .await;
}

#[tokio::test]
async fn a_seat_unheard_of_is_decided() {
    let setup = Setup {
        stand_in: Options {
            seats_have_own_calls: true,
            ..Options::default()
        },
        ..reconciling()
    };
    run_test(setup, async |it: &mut Installation| {
        it.settle().await;
        it.top_up("2").await;
        it.hold_webhooks();
        let (booking, _) = it.cal.book_seat(it.request("workshop", 72)).await.unwrap();
        reconcile(it).await;
        let seen = it.booking(&booking.uid).await;
        assert_eq!(seen["outcome"], "accept", "{seen}");
        assert!(booking.start > noon());
    })
    .await;
}
