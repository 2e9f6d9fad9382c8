//! Rules that count other bookings: nobody gets a place that somebody else has.

use bookgate::domain::clock::plus_ms;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Installation, Setup, noon, run_test};

/// At most so many in a calendar year.
fn quota(limit: u32) -> Setup {
    let policy = format!(
        "schema = 1\n[policy]\nid = \"quota\"\n[[criterion]]\nid = \"few\"\nkind = \"quota\"\n\
         limit = {limit}\nrolling = \"52w\"\nmessage = \"{{used}} of {{limit}}.\"\n"
    );
    Setup {
        policies: vec![("quota.toml", policy)],
        ..Setup::default()
    }
}

#[tokio::test]
async fn forty_bookings_at_once_on_a_quota_of_three_are_three() {
    run_test(quota(3), async |it: &mut Installation| {
        let it: &Installation = it;
        let booked = futures_util::future::join_all((0..40).map(|hour| it.book(72 + hour))).await;
        it.settle().await;
        let count = |status| {
            let uids = booked.iter().map(|booking| &booking.uid);
            uids.filter(|uid| it.status_at_cal(uid) == status).count()
        };
        assert_eq!((count("accepted"), count("rejected")), (3, 37));
        let mut rows = booked
            .iter()
            .filter_map(|booking| it.cal.booking(&booking.uid).unwrap().rejection_reason);
        assert!(rows.all(|reason| reason == "3 of 3."));
    })
    .await;
}

#[tokio::test]
async fn a_place_is_free_again_when_its_booking_goes() {
    run_test(quota(1), async |it: &mut Installation| {
        let first = it.book(72).await;
        it.settle().await;
        let second = it.book(96).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&first.uid), "accepted");
        assert_eq!(it.status_at_cal(&second.uid), "rejected");
        it.cal.cancel_by_booker(&first.uid, None).await.unwrap();
        it.settle().await;
        let third = it.book(120).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&third.uid), "accepted");
    })
    .await;
}

#[tokio::test]
async fn a_move_does_not_compete_with_what_it_moves() {
    run_test(quota(1), async |it: &mut Installation| {
        let first = it.book(72).await;
        it.settle().await;
        let start = plus_ms(noon(), 96 * 3_600_000);
        let moved = it.cal.reschedule_by_booker(&first.uid, start, None);
        let moved = moved.await.unwrap();
        it.settle().await;
        assert_eq!(it.status_at_cal(&moved.uid), "accepted");
        let second = it.book(120).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&second.uid), "rejected");
    })
    .await;
}

#[tokio::test]
async fn the_occurrences_of_a_series_count_for_each_other() {
    for (limit, end) in [(3, "accepted"), (2, "rejected")] {
        run_test(quota(limit), async |it: &mut Installation| {
            let request = it.request("consultation", 72);
            let series = it.cal.book_recurring(request, 3).await.unwrap();
            it.settle().await;
            it.pass_ms(6_000).await;
            for booking in &series {
                assert_eq!(it.status_at_cal(&booking.uid), end, "{limit}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_person_s_answer_is_counted_too() {
    let mut setup = quota(1);
    setup.policies[0].1 += "[[criterion]]\nid = \"asked\"\nkind = \"manual\"\n";
    run_test(setup, async |it: &mut Installation| {
        let first = it.book(72).await;
        it.settle().await;
        assert_eq!(it.booking(&first.uid).await["outcome"], "defer");
        // It waits, and so takes the place.
        let second = it.book(96).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&second.uid), "rejected");
        let path = format!("/v1/bookings/calcom/{}/decision", first.uid);
        let refusal = json!({"accept": false, "reason": "Not this time."});
        let (status, answer) = it.admin(Method::POST, &path, Some(refusal)).await;
        assert_eq!(status, 200, "{answer}");
        it.settle().await;
        let third = it.book(120).await;
        it.settle().await;
        assert_eq!(it.booking(&third.uid).await["outcome"], "defer");
    })
    .await;
}

#[tokio::test]
async fn twenty_bookings_at_once_with_one_code_are_one() {
    let policy = "schema = 1\n[policy]\nid = \"invited\"\n[[criterion]]\nid = \"invited\"\n\
                  kind = \"invite-code\"\nfield = \"invite\"\ncodes = [\"moss\"]\nuses = 1\n";
    let setup = Setup {
        policies: vec![("invited.toml", policy.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        let book = async |hours: i64| {
            let mut request = it.request("consultation", hours);
            let code = ("invite".to_owned(), json!("Moss"));
            request.answers.extend([code]);
            it.cal.book(request).await.unwrap()
        };
        let booked = futures_util::future::join_all((0..20).map(|hour| book(72 + hour))).await;
        it.settle().await;
        let stands = |status: &str| {
            let all = booked.iter().map(|booking| &booking.uid);
            let those = all.filter(|uid| it.status_at_cal(uid) == status);
            those.cloned().collect::<Vec<_>>()
        };
        let (accepted, rejected) = (stands("accepted"), stands("rejected"));
        assert_eq!((accepted.len(), rejected.len()), (1, 19));
        it.cal.cancel_by_booker(&accepted[0], None).await.unwrap();
        it.settle().await;
        let again = book(120).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&again.uid), "accepted");
    })
    .await;
}
