//! Booking, moving, cancelling, and not coming.

use super::*;

#[tokio::test]
async fn a_booking_stands_at_once_and_is_told_with_all_that_was_said() {
    let room = room().await;
    let request = BookingRequest {
        guests: vec!["guest@mail.example".to_owned()],
        answers: vec!["Oak & Sons".to_owned(), "Chairs".to_owned()],
        tracking: Tracking {
            content: Some("bk_9".to_owned()),
            ..Tracking::default()
        },
        ..request("coaching")
    };
    let invitee = room.it.book(request).await.unwrap();
    assert_eq!(room.it.live(), std::slice::from_ref(&invitee));

    let heard = room.the_heard();
    assert_eq!(heard.event(), "invitee.created");
    assert_eq!(heard.json["created_by"], room.it.user_uri());
    let told = heard.payload();
    assert_eq!(told["uri"], room.it.invitee_uri(&invitee));
    assert_eq!(told["email"], "rui@mail.example");
    assert_eq!(told["timezone"], "Europe/Lisbon");
    assert_eq!(told["status"], "active");
    assert_eq!(told["tracking"]["utm_content"], "bk_9");
    assert_eq!(told["tracking"]["utm_source"], Value::Null);
    let answers = json!([
        { "question": "Company", "answer": "Oak & Sons", "position": 0 },
        { "question": "What is it about?", "answer": "Chairs", "position": 1 },
    ]);
    assert_eq!(told["questions_and_answers"], answers);
    let event = &told["scheduled_event"];
    assert_eq!(event["uri"], told["event"]);
    assert_eq!(event["start_time"], "2031-03-03T09:00:00.000000Z");
    assert_eq!(event["end_time"], "2031-03-03T10:00:00.000000Z");
    assert_eq!(event["event_guests"][0]["email"], "guest@mail.example");
    let counter = json!({ "total": 1, "active": 1, "limit": 1 });
    assert_eq!(event["invitees_counter"], counter);
    assert!(told.get("cancellation").is_none());
    // The API shows the same, but for the event, which it only names.
    let mut told = told.clone();
    told.as_object_mut().unwrap().remove("scheduled_event");
    assert_eq!(room.read(&invitee).await, told);
}

#[tokio::test]
async fn the_envelope_is_older_than_the_change_it_tells_of() {
    let room = room().await;
    room.it.book(request("intro")).await.unwrap();
    let heard = room.the_heard();
    let of = |value: &Value| time(value.as_str().unwrap());
    assert_eq!(heard.json["created_at"], "2031-02-01T08:00:00.000000Z");
    assert!(of(&heard.json["created_at"]) < of(&heard.payload()["updated_at"]));
}

#[tokio::test]
async fn a_reschedule_makes_a_new_event_and_a_new_invitee() {
    for (by, name) in [
        (Actor::Invitee, "Rui Booker"),
        (Actor::Host, "Ines Calendar"),
    ] {
        let room = room().await;
        let old = room.booked("intro").await;
        let new = room.moved(&old, tuesday(), by).await;
        assert!(new.uuid != old.uuid && new.event != old.event);
        assert_eq!(room.it.live(), std::slice::from_ref(&new));

        let heard = room.take_heard();
        let of = |event| {
            heard
                .iter()
                .find(|one| one.event() == event)
                .unwrap()
                .payload()
        };
        let (canceled, created) = (of("invitee.canceled"), of("invitee.created"));
        assert_eq!(heard.len(), 2);
        assert_eq!(canceled["uri"], room.it.invitee_uri(&old));
        assert_eq!(canceled["status"], "canceled");
        assert_eq!(canceled["rescheduled"], true);
        assert_eq!(canceled["new_invitee"], room.it.invitee_uri(&new));
        assert_eq!(canceled["old_invitee"], Value::Null);
        assert_eq!(canceled["cancellation"]["canceler_type"], by.as_str());
        assert_eq!(canceled["cancellation"]["canceled_by"], name);
        assert_eq!(created["uri"], room.it.invitee_uri(&new));
        assert_eq!(created["status"], "active");
        assert_eq!(created["rescheduled"], false);
        assert_eq!(created["old_invitee"], room.it.invitee_uri(&old));
        assert_eq!(created["new_invitee"], Value::Null);
        let start = &created["scheduled_event"]["start_time"];
        assert_eq!(start, "2031-03-04T14:30:00.000000Z");
    }
}

#[tokio::test]
async fn the_halves_of_a_reschedule_come_in_either_order() {
    let mut firsts = Vec::new();
    for seed in 0..16 {
        let room = room_with(Options { seed, ..held() }).await;
        let old = room.booked("intro").await;
        room.it.take_outbox();
        room.moved(&old, tuesday(), Actor::Invitee).await;
        firsts.push(room.it.take_outbox()[0].event);
    }
    assert!(firsts.contains(&Event::InviteeCreated));
    assert!(firsts.contains(&Event::InviteeCanceled));
}

#[tokio::test]
async fn a_link_in_the_middle_of_a_chain_knows_both_neighbours() {
    let room = room().await;
    let first = room.booked("intro").await;
    room.it.no_show(&first.uuid).await.unwrap();
    let second = room.moved(&first, tuesday(), Actor::Invitee).await;
    // Whoever did not come to the one may come to the other.
    assert_eq!(second.no_show, None);
    let third = room.moved(&second, friday(), Actor::Host).await;
    let middle = room.read(&second).await;
    assert_eq!(middle["old_invitee"], room.it.invitee_uri(&first));
    assert_eq!(middle["new_invitee"], room.it.invitee_uri(&third));
    assert_eq!(middle["rescheduled"], true);
    assert_eq!(room.read(&third).await["rescheduled"], false);
    // What is left of the first two is not moved again.
    let again = room
        .it
        .reschedule(&second.uuid, monday(), Actor::Invitee)
        .await;
    assert_eq!(again.unwrap_err().http_status, 403);
    // And the times are free again.
    room.booked("intro").await;
}

#[tokio::test]
async fn the_tracking_goes_along_or_not() {
    for carries_tracking in [true, false] {
        let room = deaf_room(Options {
            carries_tracking,
            ..Options::default()
        })
        .await;
        let mut request = request("intro");
        request.tracking.source = Some("158".to_owned());
        let old = room.it.book(request).await.unwrap();
        let new = room.moved(&old, tuesday(), Actor::Invitee).await;
        assert_eq!(new.tracking.source.is_some(), carries_tracking);
    }
}

#[tokio::test]
async fn a_plain_cancel_is_not_a_reschedule() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    let reason = Some("Flu");
    let canceled = room.it.cancel(&invitee.uuid, Actor::Invitee, reason).await;
    assert_eq!(canceled.unwrap().status, Status::Canceled);
    let heard = room.the_heard();
    let told = heard.payload();
    assert_eq!(told["rescheduled"], false);
    assert_eq!(told["new_invitee"], Value::Null);
    assert_eq!(told["cancellation"]["reason"], "Flu");
    assert_eq!(told["cancellation"]["canceler_type"], "invitee");
    // The event around it still stands in the webhook, and nowhere else.
    assert_eq!(told["scheduled_event"]["status"], "active");
    assert!(told["scheduled_event"].get("cancellation").is_none());
    let event = room.it.event(&invitee.event).unwrap();
    assert_eq!(event.status, Status::Canceled);
    let again = room.it.cancel(&invitee.uuid, Actor::Invitee, None).await;
    assert_eq!(again.unwrap_err().http_status, 403);
}

#[tokio::test]
async fn the_api_cancels_as_the_host_and_hears_of_it() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    let answer = room.cancel_event(&invitee, "Not for free").await;
    assert_eq!(answer.status, 201);
    let cancellation = answer.resource();
    assert_eq!(cancellation["canceled_by"], "Ines Calendar");
    assert_eq!(cancellation["canceler_type"], "host");
    assert_eq!(cancellation["reason"], "Not for free");
    let heard = room.the_heard();
    assert_eq!(heard.event(), "invitee.canceled");
    assert_eq!(heard.payload()["cancellation"], cancellation);

    assert_eq!(room.cancel_event(&invitee, "Again").await.status, 403);
    assert_eq!(room.heard(), Vec::<String>::new());
    assert_eq!(room.it.effective_calls(&invitee.event).len(), 1);
}

#[tokio::test]
async fn what_is_over_is_not_cancelled() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    room.clock.advance_ms(40 * 24 * HOUR_MS);
    assert_eq!(room.cancel_event(&invitee, "Late").await.status, 403);
    let late = room.it.cancel(&invitee.uuid, Actor::Invitee, None).await;
    assert_eq!(late.unwrap_err().http_status, 403);
    assert_eq!(room.row(&invitee).status, Status::Active);
}

#[tokio::test]
async fn a_reason_is_optional_and_not_endless() {
    let room = deaf_room(Options::default()).await;
    let invitee = room.booked("intro").await;
    let long = "x".repeat(10_001);
    let refused = room.cancel_event(&invitee, &long).await;
    assert_eq!(refused.complaint(), (400, "reason".to_owned()));
    let path = format!("/scheduled_events/{}/cancellation", invitee.event);
    let answer = room.call(Method::POST, &path, None).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.resource()["reason"], Value::Null);
    let unknown = room
        .post("/scheduled_events/nobody/cancellation", json!({}))
        .await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_no_show_is_said_and_taken_back() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    let uri = room.it.invitee_uri(&invitee);
    let body = json!({ "invitee": uri });
    let answer = room.post("/invitee_no_shows", body.clone()).await;
    assert_eq!(answer.status, 201);
    let no_show = answer.resource();
    assert_eq!(no_show["invitee"], uri);
    let heard = room.the_heard();
    assert_eq!(heard.event(), "invitee_no_show.created");
    assert_eq!(heard.payload()["no_show"]["uri"], no_show["uri"]);
    assert_eq!(heard.payload()["status"], "active");
    assert_eq!(room.post("/invitee_no_shows", body).await.status, 400);

    let uuid = room.row(&invitee).no_show.unwrap().uuid;
    let path = format!("/invitee_no_shows/{uuid}");
    assert_eq!(room.delete(&path).await.status, 204);
    assert_eq!(room.heard(), ["invitee_no_show.deleted"]);
    assert_eq!(room.delete(&path).await.status, 404);

    let no_show = room.it.no_show(&invitee.uuid).await.unwrap();
    assert_eq!(room.row(&invitee).no_show.as_ref(), Some(&no_show));
    room.it.take_back_no_show(&no_show.uuid).await.unwrap();
    let both = ["invitee_no_show.created", "invitee_no_show.deleted"];
    assert_eq!(room.heard(), both);
}

#[tokio::test]
async fn a_taken_time_is_not_given_twice() {
    let room = room().await;
    room.booked("coaching").await;
    let mut other = request("intro");
    other.start = time("2031-03-03T09:45:00Z");
    let taken = room.it.book(other.clone()).await.unwrap_err();
    assert_eq!(taken.http_status, 409);
    other.start = time("2031-03-03T10:00:00Z");
    let beside = room.it.book(other).await.unwrap();
    // Its own time does not stand in the way of one that moves a little.
    room.moved(&beside, time("2031-03-03T10:05:00Z"), Actor::Host)
        .await;
    assert_eq!(
        room.it
            .book(request("unknown"))
            .await
            .unwrap_err()
            .http_status,
        404
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut drawn = Vec::new();
    for seed in [5, 5, 6] {
        let room = deaf_room(Options {
            seed,
            ..Options::default()
        })
        .await;
        drawn.push(room.booked("intro").await.uuid);
    }
    assert_eq!(drawn[0], drawn[1]);
    assert_ne!(drawn[0], drawn[2]);
}
