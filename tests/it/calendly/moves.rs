//! A move is told in two halves, a cancel of the old and a creation of the new, in any order and with any
//! time in between. It is one booking, and nothing of it is paid back or paid twice.

use bookgate::standin::calendly::{Actor, Event, Invitee, OutgoingWebhook};

use super::{decisions, plain, statement};
use crate::harness::{Installation, reference, run_test, start_of};

const DAY_MS: i64 = 24 * 3_600_000;
/// Longer than it takes until a half that does not come is asked for.
const SETTLED_MS: i64 = 11_000;

/// The halves of a move: of the old, of the new.
fn halves(mut told: Vec<OutgoingWebhook>) -> (OutgoingWebhook, OutgoingWebhook) {
    told.sort_by_key(|webhook| webhook.event);
    let [new, old] = <[_; 2]>::try_from(told).unwrap();
    assert_eq!(
        (old.event, new.event),
        (Event::InviteeCanceled, Event::InviteeCreated)
    );
    (old, new)
}

/// Ada's booking is paid, and then moved by a day; gives both and the two halves, not yet delivered.
async fn moved(
    it: &Installation,
    by: Actor,
) -> (Invitee, Invitee, OutgoingWebhook, OutgoingWebhook) {
    it.hold_calendly();
    it.top_up("2").await;
    let old = it.calendly_book(72).await;
    it.deliver_all_of_calendly().await;
    it.assert_balance("0", "0").await;
    let new = it.calendly().reschedule(&old.uuid, start_of(96), by);
    let new = new.await.unwrap();
    let (of_old, of_new) = halves(it.calendly().take_outbox());
    (old, new, of_old, of_new)
}

/// Both are one booking, paid once; nothing was paid back, and nothing was called off.
async fn assert_moved(it: &Installation, old: &Invitee, new: &Invitee) {
    let at_old = it.calendly_booking(old).await;
    assert_eq!(at_old["status"], "superseded");
    let at_new = it.calendly_booking(new).await;
    assert_eq!(
        (&at_new["status"], &at_new["outcome"]),
        (&"accepted".into(), &"accept".into())
    );
    assert_eq!(decisions(&at_new), 2, "one for each time");
    assert!(it.comes(new));
    assert_eq!(it.calendly_effects(), []);
    it.assert_balance("0", "0").await;
    let lines = statement(it).await;
    let back = lines.iter().any(|line| line.starts_with("refund"));
    assert!(!back, "no refund for a move: {lines:?}");
}

#[tokio::test]
async fn the_old_half_a_day_before_the_new_one() {
    run_test(plain(), async |it: &mut Installation| {
        let (old, new, of_old, of_new) = moved(it, Actor::Invitee).await;
        it.deliver_of_calendly(&of_old).await;
        it.settle().await;
        assert_eq!(it.calendly_booking(&old).await["status"], "superseded");
        it.pass_ms(SETTLED_MS).await;
        // Nothing more has come: the new one was asked for.
        assert_moved(it, &old, &new).await;
        it.pass_ms(DAY_MS).await;
        it.deliver_of_calendly(&of_new).await;
        it.settle().await;
        assert_moved(it, &old, &new).await;
    })
    .await;
}

#[tokio::test]
async fn the_new_half_a_day_before_the_old_one() {
    run_test(plain(), async |it: &mut Installation| {
        let (old, new, of_old, of_new) = moved(it, Actor::Invitee).await;
        it.deliver_of_calendly(&of_new).await;
        it.settle().await;
        assert_moved(it, &old, &new).await;
        it.pass_ms(DAY_MS).await;
        it.deliver_of_calendly(&of_old).await;
        it.settle().await;
        assert_moved(it, &old, &new).await;
    })
    .await;
}

#[tokio::test]
async fn one_half_is_lost_for_ever() {
    for lost in [Event::InviteeCanceled, Event::InviteeCreated] {
        run_test(plain(), async |it: &mut Installation| {
            let (old, new, of_old, of_new) = moved(it, Actor::Invitee).await;
            let kept = if lost == of_old.event { of_new } else { of_old };
            it.deliver_of_calendly(&kept).await;
            it.pass_ms(SETTLED_MS).await;
            assert_moved(it, &old, &new).await;
            it.pass_ms(30 * DAY_MS).await;
            assert_moved(it, &old, &new).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_move_before_anything_else_was_heard() {
    for old_first in [true, false] {
        run_test(plain(), async |it: &mut Installation| {
            it.hold_calendly();
            it.top_up("2").await;
            let old = it.calendly_book(72).await;
            let created = it.calendly().take_outbox().remove(0);
            let calendly = it.calendly();
            let new = calendly.reschedule(&old.uuid, start_of(96), Actor::Invitee);
            let new = new.await.unwrap();
            let (of_old, of_new) = halves(it.calendly().take_outbox());
            let (first, second) = if old_first {
                (&of_old, &of_new)
            } else {
                (&of_new, &of_old)
            };
            for webhook in [first, second, &created] {
                it.deliver_of_calendly(webhook).await;
                it.settle().await;
            }
            it.pass_ms(SETTLED_MS).await;
            assert_eq!(it.calendly_booking(&old).await["status"], "superseded");
            let seen = it.calendly_booking(&new).await;
            assert_eq!((&seen["status"], decisions(&seen)), (&"accepted".into(), 1));
            it.assert_balance("0", "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_cancel_after_a_move_is_paid_back_by_its_own_terms() {
    // Moved to 96 hours ahead; called off 95 and 26 hours before.
    for (wait_ms, left) in [(SETTLED_MS, "2"), (70 * 3_600_000, "1")] {
        run_test(plain(), async |it: &mut Installation| {
            let (old, new, of_old, of_new) = moved(it, Actor::Invitee).await;
            it.deliver_of_calendly(&of_old).await;
            it.deliver_of_calendly(&of_new).await;
            it.pass_ms(wait_ms).await;
            assert_moved(it, &old, &new).await;
            let cancel = it.calendly().cancel(&new.uuid, Actor::Invitee, None);
            cancel.await.unwrap();
            it.deliver_all_of_calendly().await;
            assert_eq!(it.calendly_booking(&new).await["status"], "cancelled");
            it.assert_balance(left, "0").await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_move_by_the_host_is_carried_and_not_decided_anew() {
    for old_first in [true, false] {
        run_test(plain(), async |it: &mut Installation| {
            let (old, new, of_old, of_new) = moved(it, Actor::Host).await;
            // All that Ada had is spent, and a new decision could only be made by the price of the old.
            let (first, second) = if old_first {
                (of_old, of_new)
            } else {
                (of_new, of_old)
            };
            it.deliver_of_calendly(&first).await;
            it.pass_ms(SETTLED_MS).await;
            it.deliver_of_calendly(&second).await;
            it.settle().await;
            assert_moved(it, &old, &new).await;
            let seen = it.calendly_booking(&new).await;
            let deciders: Vec<_> = seen["decisions"].as_array().unwrap().iter().collect();
            let of_new = deciders
                .iter()
                .find(|one| one["unit"] == reference(&new).as_str())
                .unwrap();
            assert_eq!(of_new["decided_by"], "carried", "{of_new}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_move_that_is_refused_is_called_off_and_paid_back() {
    let mut setup = plain();
    let far_ahead = r#"
schema = 1
[policy]
id = "far-ahead"
[credits]
unit = "CREDIT"
cost = { base = "2" }
[[criterion]]
id = "far"
kind = "notice"
min = "48h"
message = "Please book two days ahead."
[[criterion]]
id = "has-credit"
kind = "credit"
[require]
all = ["far", "has-credit"]
"#;
    setup.policies = vec![("far.toml", far_ahead.to_owned())];
    run_test(setup, async |it: &mut Installation| {
        it.top_up("2").await;
        let old = it.calendly_book(72).await;
        it.settle().await;
        it.assert_balance("0", "0").await;
        let calendly = it.calendly();
        let new = calendly.reschedule(&old.uuid, start_of(24), Actor::Invitee);
        let new = new.await.unwrap();
        it.settle().await;
        assert!(!it.comes(&new));
        assert_eq!(it.calendly_effects().len(), 1);
        it.assert_balance("2", "0").await;
    })
    .await;
}
