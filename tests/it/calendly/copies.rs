//! The same thing told more than once: by two subscriptions, in bodies that differ, again and again.

use bookgate::standin::calendly::{NewSubscription, Options, OutgoingWebhook, Scope};
use serde_json::Value;

use super::{calendly, decisions};
use crate::harness::{Calendly, Installation, SIGNING_KEY, Setup, run_test};

/// Calendly lets an address be subscribed in each scope.
fn in_each_scope() -> Setup {
    calendly(Calendly {
        stand_in: Options {
            hooks_differ_by_scope: true,
            ..Options::default()
        },
        ..Calendly::default()
    })
}

/// The user's own subscription beside the organization's, made by somebody else.
fn subscribe_the_user(it: &Installation) {
    let calendly = it.calendly();
    let url = calendly.subscriptions()[0].url.clone();
    let mut own = NewSubscription::to_invitees(url, SIGNING_KEY);
    own.scope = Scope::User;
    calendly.subscribe(own).unwrap();
}

/// The copy for another subscription, which another user made.
fn made_by_another(webhook: &OutgoingWebhook) -> OutgoingWebhook {
    let mut body: Value = serde_json::from_slice(&webhook.body).unwrap();
    body["created_by"] = "https://api.calendly.com/users/ANOTHER".into();
    let mut copy = webhook.clone();
    copy.body = body.to_string().into();
    copy
}

/// What became of the deliveries about a booking: trigger and state, and the note if there is one.
fn states(booking: &Value) -> Vec<String> {
    let deliveries = booking["deliveries"].as_array().unwrap();
    let told = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("trigger"), text("state"), text("note"))
    };
    deliveries.iter().map(told).collect()
}

#[tokio::test]
async fn two_subscriptions_tell_of_one_booking() {
    run_test(in_each_scope(), async |it: &mut Installation| {
        subscribe_the_user(it);
        it.hold_calendly();
        it.top_up("5").await;
        let booked = it.calendly_book(72).await;
        let held = it.calendly().take_outbox();
        assert_eq!(held.len(), 2);
        it.deliver_of_calendly(&held[0]).await;
        it.settle().await;
        it.deliver_of_calendly(&made_by_another(&held[1])).await;
        it.settle().await;
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(decisions(&seen), 1);
        assert_eq!(
            states(&seen),
            [
                "created event ",
                "created ignored an earlier delivery has told the same"
            ]
        );
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn both_copies_in_one_batch_are_one_fact() {
    run_test(in_each_scope(), async |it: &mut Installation| {
        subscribe_the_user(it);
        it.hold_calendly();
        it.top_up("5").await;
        let booked = it.calendly_book(72).await;
        let calendly = it.calendly();
        calendly
            .reschedule(
                &booked.uuid,
                crate::harness::start_of(96),
                bookgate::standin::calendly::Actor::Invitee,
            )
            .await
            .unwrap();
        let held = calendly.take_outbox();
        assert_eq!(held.len(), 6);
        for webhook in &held {
            it.deliver_of_calendly(webhook).await;
            it.deliver_of_calendly(&made_by_another(webhook)).await;
        }
        it.pass_ms(11_000).await;
        it.assert_balance("3", "0").await;
        let seen = it.calendly_booking(&booked).await;
        let facts = states(&seen);
        let facts = facts.iter().filter(|told| told.contains(" event "));
        assert_eq!(facts.count(), 3, "{seen}");
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_comes_again_changes_nothing() {
    run_test(in_each_scope(), async |it: &mut Installation| {
        it.hold_calendly();
        it.top_up("5").await;
        let booked = it.calendly_book(72).await;
        let created = it.calendly().take_outbox().remove(0);
        for _ in 0..3 {
            it.deliver_of_calendly(&created).await;
            it.settle().await;
            it.pass_ms(3_600_000).await;
        }
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(states(&seen), ["created event "]);
        assert_eq!(decisions(&seen), 1);
        it.assert_balance("3", "0").await;
    })
    .await;
}
