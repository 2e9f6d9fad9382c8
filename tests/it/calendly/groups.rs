//! Events that several people share: each invitee is a booking of their own, and calling the event off
//! takes everybody.

use bookgate::standin::calendly::{Actor, Invitee, Person};

use super::{calendly, decisions, plain};
use crate::harness::{Calendly, Installation, Setup, run_test};

fn cancelling_all() -> Setup {
    calendly(Calendly {
        source: "shared_refusal = \"cancel_all\"",
        ..Calendly::default()
    })
}

/// Somebody who has no credit comes to the masterclass, too.
async fn another(it: &Installation, name: &str, hours: i64) -> Invitee {
    let mut request = it.calendly_request("masterclass", hours);
    request.person = Person::new(name, format!("{name}@reader.example"));
    it.calendly().book(request).await.unwrap()
}

async fn ada(it: &Installation, hours: i64) -> Invitee {
    let request = it.calendly_request("masterclass", hours);
    it.calendly().book(request).await.unwrap()
}

#[tokio::test]
async fn two_invitees_are_two_bookings() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("4").await;
        let first = ada(it, 72).await;
        let second = ada(it, 72).await;
        assert_eq!(first.event, second.event);
        it.settle().await;
        it.assert_balance("0", "0").await;
        let cancel = it.calendly().cancel(&first.uuid, Actor::Invitee, None);
        cancel.await.unwrap();
        it.settle().await;
        assert_eq!(it.calendly_booking(&first).await["status"], "cancelled");
        assert_eq!(it.calendly_booking(&second).await["status"], "accepted");
        it.assert_balance("2", "0").await;
        assert_eq!(it.calendly_effects(), []);
    })
    .await;
}

#[tokio::test]
async fn one_who_moves_out_of_a_group_leaves_the_others() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("4").await;
        let first = ada(it, 72).await;
        let second = ada(it, 72).await;
        it.settle().await;
        let calendly = it.calendly();
        let moved = calendly.reschedule(&first.uuid, crate::harness::start_of(96), Actor::Invitee);
        let moved = moved.await.unwrap();
        it.settle().await;
        assert_eq!(it.calendly_booking(&first).await["status"], "superseded");
        assert_eq!(it.calendly_booking(&moved).await["status"], "accepted");
        assert_eq!(it.calendly_booking(&second).await["status"], "accepted");
        it.assert_balance("0", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_refusal_that_would_hit_others_is_left_to_a_person() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("2").await;
        let paying = ada(it, 72).await;
        let other = another(it, "ben", 72).await;
        it.settle().await;
        let seen = it.calendly_booking(&other).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"]),
            (&"accepted".into(), &"defer".into())
        );
        let note = seen["decisions"][0]["note"].as_str().unwrap();
        assert!(note.contains("everyone who shares it"), "{note}");
        assert!(it.comes(&paying) && it.comes(&other));
        assert_eq!(it.calendly_effects(), []);
        // The host calls all of it off: everybody is treated as after any host's cancel.
        it.pass_ms(42 * 3_600_000).await;
        let cancel = it.calendly().cancel(&other.uuid, Actor::Host, None);
        cancel.await.unwrap();
        it.settle().await;
        assert_eq!(it.calendly_booking(&other).await["status"], "cancelled");
        it.assert_balance("2", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_refusal_may_call_off_the_whole_event_and_the_others_are_paid_back() {
    run_test(cancelling_all(), async |it: &mut Installation| {
        it.top_up("2").await;
        // A cancel of her own would give half back by then.
        let paying = ada(it, 40).await;
        it.settle().await;
        it.assert_balance("0", "0").await;
        let other = another(it, "ben", 40).await;
        it.settle().await;
        assert!(!it.comes(&paying) && !it.comes(&other));
        assert_eq!(it.calendly_effects().len(), 1);
        let seen = it.calendly_booking(&other).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"]),
            (&"cancelled".into(), &"reject".into())
        );
        let seen = it.calendly_booking(&paying).await;
        assert_eq!(
            (&seen["status"], &seen["outcome"], decisions(&seen)),
            (&"cancelled".into(), &"accept".into(), 1)
        );
        it.assert_balance("2", "0").await;
    })
    .await;
}

#[tokio::test]
async fn two_refusals_of_one_event_call_it_off_once() {
    run_test(cancelling_all(), async |it: &mut Installation| {
        it.hold_calendly();
        let both = [another(it, "ben", 72).await, another(it, "cid", 72).await];
        for webhook in it.calendly().take_outbox() {
            it.deliver_of_calendly(&webhook).await;
        }
        it.settle().await;
        it.deliver_all_of_calendly().await;
        for invitee in &both {
            assert!(!it.comes(invitee));
            let seen = it.calendly_booking(invitee).await;
            assert_eq!(
                (&seen["status"], &seen["outcome"]),
                (&"cancelled".into(), &"reject".into())
            );
        }
        assert_eq!(it.calendly_effects().len(), 1);
    })
    .await;
}
