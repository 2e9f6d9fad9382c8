//! Events with several invitees.

use super::*;

fn guest(number: usize) -> BookingRequest {
    let person = Person::new(format!("Guest {number}"), format!("g{number}@mail.example"));
    BookingRequest::new("masterclass", monday(), person)
}

async fn three(room: &Room) -> Vec<Invitee> {
    let mut invitees = Vec::new();
    for number in 0..3 {
        invitees.push(room.it.book(guest(number)).await.unwrap());
    }
    room.take_heard();
    invitees
}

#[tokio::test]
async fn invitees_of_one_time_share_an_event_until_it_is_full() {
    let room = room().await;
    let invitees = three(&room).await;
    assert!(invitees.iter().all(|one| one.event == invitees[0].event));
    assert_eq!(room.it.book(guest(4)).await.unwrap_err().http_status, 409);
    let event = room
        .get(&format!("/scheduled_events/{}", invitees[0].event))
        .await;
    let counter = json!({ "total": 3, "active": 3, "limit": 3 });
    assert_eq!(event.resource()["invitees_counter"], counter);
}

#[tokio::test]
async fn one_who_cancels_leaves_the_others_alone() {
    let room = room().await;
    let invitees = three(&room).await;
    let first = &invitees[0].uuid;
    room.it.cancel(first, Actor::Invitee, None).await.unwrap();
    assert_eq!(room.heard(), ["invitee.canceled"]);
    let event = room.it.event(&invitees[0].event).unwrap();
    assert_eq!(event.status, Status::Active);
    // The place is free again.
    let joined = room.it.book(guest(5)).await.unwrap();
    assert_eq!(joined.event, event.uuid);
}

#[tokio::test]
async fn one_who_moves_leaves_the_others_alone() {
    let room = room().await;
    let invitees = three(&room).await;
    let moved = room.moved(&invitees[1], friday(), Actor::Invitee).await;
    assert_ne!(moved.event, invitees[1].event);
    assert_eq!(room.heard(), ["invitee.canceled", "invitee.created"]);
    assert_eq!(room.it.live().len(), 3);
    // The next to move to that time joins them there.
    let joined = room.moved(&invitees[2], friday(), Actor::Invitee).await;
    assert_eq!(joined.event, moved.event);
    // With the last one the event ends.
    room.moved(&invitees[0], tuesday(), Actor::Host).await;
    let event = room.it.event(&invitees[0].event).unwrap();
    assert_eq!(event.status, Status::Canceled);
}

#[tokio::test]
async fn the_host_cancels_everybody_at_once() {
    for through_api in [true, false] {
        let room = room().await;
        let invitees = three(&room).await;
        if through_api {
            assert_eq!(room.cancel_event(&invitees[1], "Ill").await.status, 201);
        } else {
            let one = &invitees[1].uuid;
            room.it.cancel(one, Actor::Host, Some("Ill")).await.unwrap();
        }
        assert_eq!(room.it.live(), []);
        let heard = room.take_heard();
        let mut told: Vec<_> = heard.iter().map(|one| &one.payload()["uri"]).collect();
        told.sort_by_key(|uri| uri.to_string());
        let mut uris: Vec<_> = invitees
            .iter()
            .map(|one| room.it.invitee_uri(one))
            .collect();
        uris.sort();
        assert_eq!(told, uris.iter().collect::<Vec<_>>());
        let by_host = |one: &Heard| one.payload()["cancellation"]["canceler_type"] == "host";
        assert!(heard.iter().all(by_host));
    }
}
