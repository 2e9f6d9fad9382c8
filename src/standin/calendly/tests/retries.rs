//! What becomes of webhooks that are not answered well.

use super::*;
use crate::domain::clock::ms_between;

impl Room {
    fn trouble(&self) -> (bool, Option<Timestamp>) {
        let subscription = self.it.subscriptions().remove(0);
        (subscription.active, subscription.retry_started_at)
    }

    /// Lets the time pass until the next retry and makes it; gives the statuses.
    async fn next_retry(&self) -> Vec<Option<u16>> {
        let now = self.clock.now();
        let next = self.it.next_retry_at().unwrap();
        self.clock.advance_ms(ms_between(now, next).max(0) + 1);
        let made = self.it.retry_due().await;
        made.into_iter().map(|(_, status)| status).collect()
    }
}

#[tokio::test]
async fn a_failure_is_tried_again_until_it_succeeds_and_the_trouble_is_over() {
    let room = room().await;
    let began = room.clock.now();
    room.answer_with(503);
    room.it.book(request("intro")).await.unwrap();
    let first = room.the_heard();
    assert_eq!(room.trouble(), (true, Some(began)));
    // Nothing is due yet.
    assert_eq!(room.it.retry_due().await, []);

    assert_eq!(room.next_retry().await, [Some(503)]);
    assert_eq!(room.trouble(), (true, Some(began)));
    room.take_heard();
    room.answer_with(204);
    assert_eq!(room.next_retry().await, [Some(204)]);
    assert_eq!(room.the_heard().body, first.body);
    assert_eq!(room.trouble(), (true, None));
    assert_eq!(room.it.next_retry_at(), None);
}

#[tokio::test]
async fn the_waits_grow() {
    let room = room().await;
    room.answer_with(500);
    room.it.book(request("intro")).await.unwrap();
    let mut waits_ms = Vec::new();
    for _ in 0..5 {
        let (now, next) = (room.clock.now(), room.it.next_retry_at().unwrap());
        waits_ms.push(ms_between(now, next));
        room.next_retry().await;
    }
    assert!(
        waits_ms.windows(2).all(|pair| pair[1] >= 2 * pair[0]),
        "{waits_ms:?}"
    );
}

#[tokio::test]
async fn a_redirect_and_a_refusal_are_failures_as_well() {
    for status in [301, 401, 404, 429] {
        let room = room().await;
        room.answer_with(status);
        room.it.book(request("intro")).await.unwrap();
        assert!(room.it.next_retry_at().is_some(), "{status}");
    }
}

#[tokio::test]
async fn somebody_who_does_not_answer_in_time_has_failed() {
    let room = deaf_room(Options {
        answer_timeout_ms: 20,
        ..Options::default()
    })
    .await;
    // Connections are taken by the system, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    room.it
        .subscribe(NewSubscription::to_invitees(url, KEY))
        .unwrap();
    room.it.book(request("intro")).await.unwrap();
    assert_eq!(room.next_retry().await, [None]);
    drop(silent);
    assert_eq!(room.next_retry().await, [None]);
}

#[tokio::test]
async fn a_retry_is_signed_anew_or_as_at_first() {
    for renews_time in [true, false] {
        let room = room_with(Options {
            renews_time,
            ..Options::default()
        })
        .await;
        let began = room.clock.now().as_second();
        room.answer_with(500);
        room.it.book(request("intro")).await.unwrap();
        room.clock.advance_ms(HOUR_MS);
        room.it.retry_due().await;
        let heard = room.take_heard();
        assert_eq!(heard[0].signed_at(KEY), began);
        let again = if renews_time { began + 3_600 } else { began };
        assert_eq!(heard[1].signed_at(KEY), again);
    }
}

#[tokio::test]
async fn other_messages_go_on_meanwhile() {
    let room = room().await;
    room.answer_with(500);
    let invitee = room.it.book(request("intro")).await.unwrap();
    room.answer_with(200);
    room.it.no_show(&invitee.uuid).await.unwrap();
    assert_eq!(room.trouble().1, None);
    // The first is still tried, and arrives after what came later.
    room.take_heard();
    assert_eq!(room.next_retry().await, [Some(200)]);
    assert_eq!(room.heard(), ["invitee.created"]);
}

#[tokio::test]
async fn after_a_day_of_failures_the_subscription_is_disabled_and_nobody_is_told() {
    let room = room().await;
    let began = room.clock.now();
    room.answer_with(500);
    room.booked("intro").await;
    while room.it.next_retry_at().is_some() {
        assert!(room.trouble().0);
        room.next_retry().await;
    }
    assert_eq!(room.trouble(), (false, Some(began)));
    let day_ms = ms_between(began, room.clock.now());
    assert!((RETRIED_FOR_MS..RETRIED_FOR_MS + 1_000).contains(&day_ms));

    // It hears nothing more, whatever it would answer, and stands in the way of a new one.
    room.answer_with(200);
    room.take_heard();
    room.it
        .cancel(&room.it.live()[0].uuid, Actor::Host, None)
        .await
        .unwrap();
    assert_eq!(room.heard(), Vec::<String>::new());
    let again = NewSubscription::to_invitees(&room.hook, KEY);
    assert_eq!(
        room.it.subscribe(again.clone()).unwrap_err().http_status,
        409
    );
    let uuid = &room.it.subscriptions()[0].uuid;
    let path = format!("/webhook_subscriptions/{uuid}");
    let shown = room.get(&path).await.resource();
    assert_eq!(shown["state"], "disabled");
    assert!(shown["retry_started_at"].is_string());
    room.delete(&path).await;
    room.it.subscribe(again).unwrap();
    assert_eq!(room.trouble(), (true, None));
}

#[tokio::test]
async fn one_success_in_a_day_keeps_it_and_the_old_message_is_given_up() {
    let room = room().await;
    room.answer_with(500);
    let invitee = room.it.book(request("intro")).await.unwrap();
    room.clock.advance_ms(12 * HOUR_MS);
    room.it.retry_due().await;
    room.answer_with(200);
    room.it.no_show(&invitee.uuid).await.unwrap();
    room.answer_with(500);
    while room.it.next_retry_at().is_some() {
        room.next_retry().await;
    }
    assert!(room.trouble().0);
    room.answer_with(200);
    room.take_heard();
    room.it
        .cancel(&invitee.uuid, Actor::Host, None)
        .await
        .unwrap();
    assert_eq!(room.heard(), ["invitee.canceled"]);
}

#[tokio::test]
async fn with_a_subscription_its_retries_go() {
    let room = room().await;
    room.answer_with(500);
    room.booked("intro").await;
    let uuid = &room.it.subscriptions()[0].uuid;
    room.delete(&format!("/webhook_subscriptions/{uuid}")).await;
    assert_eq!(room.it.next_retry_at(), None);
}

#[tokio::test]
async fn a_held_webhook_counts_when_it_is_delivered() {
    let room = room_with(held()).await;
    room.booked("intro").await;
    let webhook = room.it.take_outbox().remove(0);
    room.answer_with(500);
    assert_eq!(room.it.deliver(&webhook).await.unwrap(), 500);
    assert!(room.trouble().1.is_some());
    assert_eq!(room.it.deliver(&webhook).await.unwrap(), 500);
    assert_eq!(room.next_retry().await.len(), 1);
    room.answer_with(200);
    assert_eq!(room.it.deliver(&webhook).await.unwrap(), 200);
    assert_eq!(room.it.next_retry_at(), None);
}
