//! Webhooks on their way: signed, copied, held.

use super::*;

#[tokio::test]
async fn without_a_key_there_is_no_signature() {
    let room = deaf_room(Options::default()).await;
    let unsigned = NewSubscription {
        signing_key: None,
        ..NewSubscription::to_invitees(&room.hook, "")
    };
    room.it.subscribe(unsigned).unwrap();
    room.it.book(request("intro")).await.unwrap();
    assert!(!room.the_heard().headers.contains_key(SIGNATURE_HEADER));
}

#[tokio::test]
async fn each_subscription_signs_with_its_own_key() {
    let room = room().await;
    let mut other = NewSubscription::to_invitees(format!("{}/other", room.hook), "another key");
    other.scope = Scope::User;
    room.it.subscribe(other).unwrap();
    room.it.book(request("intro")).await.unwrap();
    let heard = room.take_heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].body, heard[1].body);
    for one in heard {
        let key = if one.path.ends_with("other") {
            "another key"
        } else {
            KEY
        };
        assert_eq!(one.signed_at(key), room.clock.now().as_second());
    }
}

#[tokio::test]
async fn held_webhooks_go_out_in_any_order_and_as_often_as_told() {
    let room = room_with(held()).await;
    let old = room.it.book(request("intro")).await.unwrap();
    room.moved(&old, tuesday(), Actor::Invitee).await;
    assert_eq!(room.heard(), Vec::<String>::new());
    let outbox = room.it.take_outbox();
    assert_eq!(outbox.len(), 3);
    assert_eq!(room.it.take_outbox(), []);
    for place in [2, 0, 0] {
        assert_eq!(room.it.deliver(&outbox[place]).await.unwrap(), 200);
    }
    let heard = room.take_heard();
    let bodies: Vec<_> = heard.iter().map(|one| &one.body).collect();
    assert_eq!(bodies, [&outbox[2].body, &outbox[0].body, &outbox[0].body]);
    assert_eq!(outbox[0].event, Event::InviteeCreated);
    assert_eq!(outbox[0].invitee, old.uuid);

    room.it.set_delivery(Delivery::Live);
    room.it
        .cancel(&room.it.live()[0].uuid, Actor::Host, None)
        .await
        .unwrap();
    assert_eq!(room.heard(), ["invitee.canceled"]);
}

#[tokio::test]
async fn what_was_held_for_long_can_be_signed_anew() {
    let room = deaf_room(held()).await;
    let mut other = NewSubscription::to_invitees(format!("{}/other", room.hook), "another key");
    other.events = vec!["invitee.canceled".to_owned()];
    room.it.subscribe(other).unwrap();
    let hook = NewSubscription::to_invitees(&room.hook, KEY);
    room.it.subscribe(hook).unwrap();
    room.booked("intro").await;
    let made_at = room.clock.now().as_second();
    let webhook = room.it.take_outbox().remove(0);
    room.clock.advance_ms(HOUR_MS);
    room.it.deliver(&webhook).await.unwrap();
    room.it
        .deliver(&room.it.signed_now(&webhook))
        .await
        .unwrap();
    let heard = room.take_heard();
    assert_eq!(heard[0].signed_at(KEY), made_at);
    assert_eq!(heard[1].signed_at(KEY), made_at + 3_600);
    assert_eq!(heard[0].body, heard[1].body);
}
