//! One booking, both dialects.

use crate::harness::{CREDIT_POLICY, Installation, Setup, run_test};

fn v1() -> Setup {
    Setup {
        dialect: "v1",
        ..Setup::default()
    }
}

#[tokio::test]
async fn a_booking_with_credit_is_confirmed_and_paid() {
    for setup in [Setup::default(), v1()] {
        run_test(setup, async |it: &mut Installation| {
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

/// A price holds without a criterion that looks at it. What is said then is the author's.
#[tokio::test]
async fn a_price_that_nothing_asks_about_is_refused_in_the_author_s_words() {
    let (policy, _) = CREDIT_POLICY.split_once("[[criterion]]").unwrap();
    let open = "[[criterion]]\nid = \"ahead\"\nkind = \"notice\"\nmin = \"1h\"\n";
    let message = "message = { default = \"{cost}, please.\", de = \"Bitte {cost} Guthaben.\" }\n";
    for (message, expected) in [
        ("", "There is not enough credit for this booking."),
        (message, "Bitte 2 Guthaben."),
    ] {
        let policy = policy.replace("[credits]\n", &format!("[credits]\n{message}"));
        let setup = Setup {
            policies: vec![("credits.toml", format!("{policy}{open}"))],
            ..Setup::default()
        };
        run_test(setup, async |it: &mut Installation| {
            it.top_up("1").await;
            let mut request = it.request("consultation", 72);
            request.booker.locale = "de-AT".to_owned();
            let booking = it.cal.book(request).await.unwrap();
            it.settle().await;
            let row = it.cal.booking(&booking.uid).unwrap();
            assert_eq!(row.rejection_reason.as_deref(), Some(expected));
            it.assert_balance("1", "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn v1_has_no_decline_and_cancels_with_the_reason() {
    run_test(v1(), async |it: &mut Installation| {
        it.top_up("1").await;
        let booking = it.book(72).await;
        it.settle().await;
        let row = it.cal.booking(&booking.uid).unwrap();
        assert_eq!(row.status.as_str(), "cancelled");
        assert_eq!(
            row.cancellation_reason.unwrap(),
            "This costs 2 credits and you have 1."
        );
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_stands_at_once_is_paid_or_cancelled() {
    for setup in [Setup::default(), v1()] {
        run_test(setup, async |it: &mut Installation| {
            it.top_up("3").await;
            let first = it.cal.book(it.request("chat", 72)).await.unwrap();
            it.settle().await;
            assert_eq!(it.status_at_cal(&first.uid), "accepted");
            it.assert_balance("1", "0").await;
            assert!(
                it.cal.effective_calls(&first.uid).is_empty(),
                "it stands already"
            );

            let second = it.cal.book(it.request("chat", 80)).await.unwrap();
            it.settle().await;
            let row = it.cal.booking(&second.uid).unwrap();
            assert_eq!(row.status.as_str(), "cancelled");
            assert_eq!(
                row.cancellation_reason.unwrap(),
                "This costs 2 credits and you have 1."
            );
            it.assert_balance("1", "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn created_may_only_be_observed() {
    let setup = Setup {
        source: "created = \"observe\"",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("1").await;
        let booking = it.cal.book(it.request("chat", 72)).await.unwrap();
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        assert!(it.booking(&booking.uid).await["outcome"].is_null());
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_booker_who_cancels_pays_by_notice() {
    // Booked 72 hours ahead; cancelled at once, then 30 hours ahead.
    for (wait_hours, left) in [(1, "5"), (42, "4")] {
        run_test(Setup::default(), async |it: &mut Installation| {
            it.top_up("5").await;
            let booking = it.book(72).await;
            it.settle().await;
            it.pass_ms(wait_hours * 3_600_000).await;
            it.cal
                .cancel_by_booker(&booking.uid, Some("ill"))
                .await
                .unwrap();
            it.settle().await;
            assert_eq!(it.booking(&booking.uid).await["status"], "cancelled");
            it.assert_balance(left, "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_pending_booking_that_is_cancelled_costs_nothing() {
    let setup = Setup {
        policies: vec![("defer.toml", DEFER_POLICY.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.booking(&booking.uid).await["outcome"], "defer");
        assert_eq!(it.status_at_cal(&booking.uid), "pending");
        it.cal.cancel_by_booker(&booking.uid, None).await.unwrap();
        it.settle().await;
        assert_eq!(it.booking(&booking.uid).await["status"], "cancelled");
        it.assert_balance("5", "0").await;
    })
    .await;
}

/// A policy for another event type: nothing matches, so a person decides.
const DEFER_POLICY: &str = r#"
schema = 1
[policy]
id = "elsewhere"
[match]
event_types = ["something-else"]
[[criterion]]
id = "short"
kind = "length"
max = "1h"
"#;

#[tokio::test]
async fn without_a_matching_policy_a_person_decides() {
    let setup = Setup {
        policies: vec![("defer.toml", DEFER_POLICY.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        let booking = it.book(72).await;
        it.settle().await;
        let seen = it.booking(&booking.uid).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"]),
            (&"pending".into(), &"defer".into())
        );
        assert!(it.cal.effective_calls(&booking.uid).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_second_subscription_of_the_same_url_changes_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.subscribe_again();
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        it.assert_balance("3", "0").await;
        let seen = it.booking(&booking.uid).await;
        assert_eq!(seen["decisions"].as_array().unwrap().len(), 1);
        assert_eq!(
            seen["deliveries"].as_array().unwrap().len(),
            4,
            "two of each"
        );
    })
    .await;
}

#[tokio::test]
async fn a_restart_between_any_two_steps_changes_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let booking = it.book(72).await;
        it.stop().await;
        it.begin().await;
        it.deliver_all().await;
        it.stop().await;
        it.begin().await;
        it.deliver_all().await;
        assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn the_example_book_club_works_as_told() {
    let policy = include_str!("../../../policies/executive-book-club.toml");
    let mut setup = Setup {
        policies: vec![("executive-book-club.toml", policy.to_owned())],
        ..Setup::default()
    };
    assert_eq!(
        setup.stand_in.event_types[0].id, 7,
        "the event type the policy names"
    );
    setup.worker = "";
    run_test(setup, async |it: &mut Installation| {
        it.top_up("10").await;
        let soon = it.book(3).await;
        let in_time = it.book(72).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&soon.uid), "rejected");
        assert_eq!(it.status_at_cal(&in_time.uid), "accepted");
    })
    .await;
    assert!(CREDIT_POLICY.contains("has-credit"));
}
