//! One booking of one person: it stands from the moment it is made, and a refusal calls it off.

use bookgate::standin::calendly::{Actor, Operation};

use super::{calendly, decisions, plain, statement};
use crate::harness::{Calendly, Installation, run_test};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_booking_with_credit_stands_and_is_paid() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booked = it.calendly_book(72).await;
        it.settle().await;
        assert!(it.comes(&booked));
        assert_eq!(it.calendly_effects(), [], "it is only read");
        it.assert_balance("3", "0").await;
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"], &seen["settled"]),
            (&"accepted".into(), &"accept".into(), &true.into())
        );
        assert_eq!(seen["holds"][0]["state"], "captured", "{seen}");
    })
    .await;
}

#[tokio::test]
async fn a_booking_without_credit_is_called_off_with_the_reason() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("1.5").await;
        let booked = it.calendly_book(72).await;
        it.settle().await;
        let row = it.calendly().invitee(&booked.uuid).unwrap();
        let cancellation = row.cancellation.unwrap();
        assert_eq!(cancellation.canceler, Actor::Host);
        assert_eq!(
            cancellation.reason.as_deref(),
            Some("This costs 2 credits and you have 1.5.")
        );
        let effects = it.calendly_effects();
        assert_eq!(effects.len(), 1);
        let path = format!("/scheduled_events/{}/cancellation", booked.event);
        assert_eq!(
            (effects[0].method.as_str(), effects[0].path.as_str()),
            ("POST", path.as_str())
        );
        it.assert_balance("1.5", "0").await;
        // The webhook of our own cancel came back, and is nothing but an observation.
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"], &seen["settled"]),
            (&"cancelled".into(), &"reject".into(), &true.into())
        );
        assert_eq!(seen["deliveries"].as_array().unwrap().len(), 2);
        assert_eq!(decisions(&seen), 1);
    })
    .await;
}

#[tokio::test]
async fn the_webhook_of_our_own_cancel_may_come_late_and_often() {
    run_test(plain(), async |it: &mut Installation| {
        it.hold_calendly();
        it.top_up("1").await;
        let booked = it.calendly_book(72).await;
        let created = it.calendly().take_outbox();
        it.deliver_of_calendly(&created[0]).await;
        it.settle().await;
        assert!(!it.comes(&booked));
        let echoes = it.calendly().take_outbox();
        assert_eq!(echoes.len(), 1);
        it.pass_ms(24 * HOUR_MS).await;
        for _ in 0..3 {
            it.deliver_of_calendly(&echoes[0]).await;
            it.deliver_of_calendly(&created[0]).await;
            it.settle().await;
        }
        assert_eq!(decisions(&it.calendly_booking(&booked).await), 1);
        assert_eq!(it.calendly_effects().len(), 1);
        it.assert_balance("1", "0").await;
        let lines = statement(it).await;
        assert_eq!(lines.len(), 1, "nothing but the top-up: {lines:?}");
    })
    .await;
}

#[tokio::test]
async fn who_calls_it_off_decides_what_comes_back() {
    // Booked 72 hours ahead; called off at once, then 30 hours ahead, then by the host.
    for (by, wait_hours, left) in [
        (Actor::Invitee, 1, "5"),
        (Actor::Invitee, 42, "4"),
        (Actor::Host, 42, "5"),
    ] {
        run_test(plain(), async |it: &mut Installation| {
            it.top_up("5").await;
            let booked = it.calendly_book(72).await;
            it.settle().await;
            it.pass_ms(wait_hours * HOUR_MS).await;
            let calendly = it.calendly();
            calendly
                .cancel(&booked.uuid, by, Some("ill"))
                .await
                .unwrap();
            it.settle().await;
            assert_eq!(it.calendly_booking(&booked).await["status"], "cancelled");
            it.assert_balance(left, "0").await;
            assert_eq!(it.calendly_effects(), [], "it is not ours to call off");
        })
        .await;
    }
}

#[tokio::test]
async fn a_no_show_changes_nothing() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booked = it.calendly_book(72).await;
        it.pass_ms(73 * HOUR_MS).await;
        let no_show = it.calendly().no_show(&booked.uuid).await.unwrap();
        it.calendly()
            .take_back_no_show(&no_show.uuid)
            .await
            .unwrap();
        it.settle().await;
        let seen = it.calendly_booking(&booked).await;
        assert_eq!((&seen["status"], decisions(&seen)), (&"accepted".into(), 1));
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn both_providers_are_served_by_one_daemon() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("4").await;
        let at_cal = it.book(72).await;
        let at_calendly = it.calendly_book(80).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&at_cal.uid), "accepted");
        assert!(it.comes(&at_calendly));
        it.assert_balance("0", "0").await;
        let third = it.calendly_book(90).await;
        it.settle().await;
        assert!(!it.comes(&third), "one account pays for both");
    })
    .await;
}

#[tokio::test]
async fn what_is_only_observed_is_not_read_when_it_ends() {
    let observed = calendly(Calendly {
        source: "created = \"observe\"",
        ..Calendly::default()
    });
    run_test(observed, async |it: &mut Installation| {
        let booked = it.calendly_book(72).await;
        it.settle().await;
        let calendly = it.calendly();
        calendly
            .cancel(&booked.uuid, Actor::Invitee, None)
            .await
            .unwrap();
        it.settle().await;
        it.pass_ms(HOUR_MS).await;
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(
            (&seen["status"], decisions(&seen)),
            (&"cancelled".into(), 0)
        );
        let mut calls = calendly.calls();
        let about_bookings = [
            Operation::ReadInvitee,
            Operation::ReadEvent,
            Operation::Cancel,
        ];
        calls.retain(|call| about_bookings.contains(&call.operation));
        assert_eq!(calls, []);
    })
    .await;
}
