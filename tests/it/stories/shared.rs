//! Series and seats.

use bookgate::standin::calcom::{BookingRequest, Person};

use crate::harness::{Installation, Setup, noon, run_test};

#[tokio::test]
async fn a_series_is_paid_whole_and_answered_by_one_call() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("7").await;
        let series = it
            .cal
            .book_recurring(it.request("consultation", 72), 3)
            .await
            .unwrap();
        it.settle().await;
        it.pass_ms(6_000).await;
        for booking in &series {
            assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        }
        it.assert_balance("1", "0").await;
        let calls: usize = series
            .iter()
            .map(|b| it.cal.effective_calls(&b.uid).len())
            .sum();
        assert_eq!(calls, 1);
    })
    .await;
}

#[tokio::test]
async fn a_series_that_cannot_be_paid_whole_is_refused_whole() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let series = it
            .cal
            .book_recurring(it.request("consultation", 72), 3)
            .await
            .unwrap();
        it.settle().await;
        it.pass_ms(6_000).await;
        for booking in &series {
            assert_eq!(it.status_at_cal(&booking.uid), "rejected");
        }
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_series_that_nobody_names_is_left_to_a_person() {
    let setup = Setup {
        dialect: "v1",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("7").await;
        let series = it
            .cal
            .book_recurring(it.request("consultation", 72), 2)
            .await
            .unwrap();
        it.settle().await;
        for booking in &series {
            assert_eq!(it.status_at_cal(&booking.uid), "pending");
            assert_eq!(it.booking(&booking.uid).await["outcome"], "defer");
        }
        it.assert_balance("7", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_later_seat_that_is_refused_leaves_the_others_in_peace() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        let (first, _) = it.cal.book_seat(it.request("workshop", 72)).await.unwrap();
        it.settle().await;
        assert_eq!(it.status_at_cal(&first.uid), "accepted");
        it.assert_balance("0", "0").await;

        let start = bookgate::domain::clock::plus_ms(noon(), 72 * 3_600_000);
        let ben = Person::new("Ben Penniless", "ben@reader.example");
        let (second, seat) = it
            .cal
            .book_seat(BookingRequest::new("workshop", start, ben))
            .await
            .unwrap();
        assert_eq!(second.uid, first.uid, "one booking, two seats");
        it.settle().await;
        let row = it.cal.booking(&first.uid).unwrap();
        assert_eq!(row.status.as_str(), "accepted");
        assert!(
            !row.seats.iter().any(|taken| taken.id == seat),
            "Ben has no credit"
        );
        assert_eq!(row.seats.len(), 1);
    })
    .await;
}
