//! Series, shared bookings, and subscriptions that hear everything twice.

use super::*;

#[tokio::test]
async fn flows_44_and_45_one_answer_answers_the_series() {
    for (verb, after, told) in [
        (
            "confirm",
            Status::Accepted,
            "CREATED 1001 ACCEPTED, row ACCEPTED",
        ),
        (
            "decline",
            Status::Rejected,
            "REJECTED 1001 REJECTED, row REJECTED",
        ),
    ] {
        let room = room().await;
        let booked = room
            .standin
            .book_recurring(request("consultation"), 3)
            .await
            .unwrap();
        let heard = room.take_heard();
        assert_eq!(heard.len(), 3);
        for (webhook, booking) in heard.iter().zip(&booked) {
            assert_eq!(webhook.payload()["uid"], booking.uid.as_str());
            assert_eq!(webhook.payload()["recurringEvent"]["count"], 3);
            assert!(webhook.payload().get("recurringEventId").is_none());
        }
        room.post(&booked[1].uid, verb, json!({})).await;
        assert_eq!(room.heard(), [told]);
        for booking in &booked {
            assert_eq!(room.status(&booking.uid), after);
        }
    }
}

#[tokio::test]
async fn a_series_is_read_and_cancelled_by_its_own_uid() {
    let room = room().await;
    let booked = room
        .standin
        .book_recurring(request("chat"), 3)
        .await
        .unwrap();
    room.take_heard();
    let series = Uid::new(booked[0].series.clone().unwrap());
    let read = room.get(&format!("/v2/bookings/{series}")).await.json();
    let uids = |json: &Value| -> Vec<String> {
        let all = json["data"].as_array().unwrap().iter();
        all.map(|one| one["uid"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected: Vec<_> = booked.iter().map(|one| one.uid.to_string()).collect();
    assert_eq!(uids(&read), expected);
    assert_eq!(read["data"][2]["recurringBookingUid"], series.as_str());

    let rest = json!({ "cancellationReason": "x", "cancelSubsequentBookings": true });
    room.post(&booked[1].uid, "cancel", rest).await;
    assert_eq!(room.heard(), ["CANCELLED 1001 CANCELLED, row ACCEPTED"]);
    assert_eq!(room.standin.live(), &booked[..1]);
    let all = json!({ "cancellationReason": "x" });
    let answer = room.post(&series, "cancel", all).await;
    assert_eq!(uids(&answer.json()), expected);
    assert_eq!(room.standin.live(), []);
}

fn seat_for(name: &str) -> BookingRequest {
    BookingRequest {
        booker: Person::new(name, format!("{}@mail.example", name.to_lowercase())),
        ..request("workshop")
    }
}

#[tokio::test]
async fn flow_46_seats_join_a_booking_that_stands_without_asking() {
    let room = room().await;
    let (ana, ana_seat) = room.standin.book_seat(seat_for("Ana")).await.unwrap();
    let (ben, _) = room.standin.book_seat(seat_for("Ben")).await.unwrap();
    assert_ne!(ana.uid, ben.uid);
    let heard = room.take_heard();
    assert_eq!(heard[0].payload()["attendeeSeatId"], ana_seat.as_str());
    assert_eq!(heard[1].summary(), "REQUESTED 1001 PENDING, row PENDING");

    room.confirm(&ana.uid).await;
    let (joined, eve_seat) = room.standin.book_seat(seat_for("Eve")).await.unwrap();
    assert_eq!(joined.uid, ana.uid);
    let heard = room.take_heard();
    assert_eq!(heard[1].summary(), "CREATED 1000 ACCEPTED, row ACCEPTED");
    let payload = heard[1].payload();
    assert_eq!(payload["attendeeSeatId"], eve_seat.as_str());
    assert_eq!(payload["attendees"].as_array().unwrap().len(), 1);
    assert_eq!(payload["responses"]["email"]["value"], "eve@mail.example");

    room.standin.book_seat(seat_for("Flo")).await.unwrap();
    let full = room.standin.book_seat(seat_for("Gil")).await.unwrap_err();
    assert_eq!(full.http_status, 409);
}

#[tokio::test]
async fn a_seat_is_given_up_alone_and_the_last_takes_the_booking_along() {
    let room = room().await;
    let (booking, ana) = room.standin.book_seat(seat_for("Ana")).await.unwrap();
    room.confirm(&booking.uid).await;
    let (_, ben) = room.standin.book_seat(seat_for("Ben")).await.unwrap();
    room.take_heard();
    let give_up = async |seat: &str| {
        let body = json!({ "seatUid": seat, "cancellationReason": "x" });
        room.post(&booking.uid, "cancel", body).await
    };
    assert_eq!(give_up("another").await.status, 400);
    let left = give_up(ben.as_str()).await.json();
    assert_eq!(left["data"]["status"], "accepted");
    assert_eq!(left["data"]["attendees"][0]["seatUid"], ana.as_str());
    let heard = room.take_heard();
    assert_eq!(heard[0].summary(), "CANCELLED 1000 CANCELLED, row ACCEPTED");
    assert_eq!(heard[0].payload()["attendeeSeatId"], ben.as_str());
    assert_eq!(
        heard[0].payload()["attendees"][0]["email"],
        "ben@mail.example"
    );

    give_up(ana.as_str()).await;
    assert_eq!(room.status(&booking.uid), Status::Cancelled);
}

#[tokio::test]
async fn seats_can_be_answered_by_calls_of_their_own() {
    let options = Options {
        seats_have_own_calls: true,
        ..Options::default()
    };
    let room = room_with(options).await;
    let (ana, seat) = room.standin.book_seat(seat_for("Ana")).await.unwrap();
    assert_eq!(room.confirm(&ana.uid).await.status, 400);
    let answer = room
        .post(&ana.uid, "seats/confirm", json!({ "seatUids": ["x"] }))
        .await;
    assert_eq!(answer.status, 400);
    let seats = json!({ "seatUids": [seat] });
    let answer = room.post(&ana.uid, "seats/confirm", seats).await;
    assert_eq!(answer.json()["data"]["confirmedSeatUids"], json!([seat]));
    assert_eq!(room.status(&ana.uid), Status::Accepted);

    let other = BookingRequest {
        start: tuesday(),
        ..seat_for("Ben")
    };
    let (ben, seat) = room.standin.book_seat(other).await.unwrap();
    let seats = json!({ "seatUids": [seat], "reason": "full" });
    let answer = room.post(&ben.uid, "seats/decline", seats).await;
    assert_eq!(answer.json()["data"]["declinedSeatUids"], json!([seat]));
    assert_eq!(room.status(&ben.uid), Status::Rejected);
}

#[tokio::test]
async fn flow_47_a_second_subscription_hears_everything_again() {
    let room = room().await;
    let second = Subscription::to_everything(&room.webhook_url, SECRET);
    room.standin.subscribe(second).unwrap();
    let uid = room
        .standin
        .book(request("consultation"))
        .await
        .unwrap()
        .uid;
    room.confirm(&uid).await;
    let mut heard = room.take_heard();
    assert_eq!(heard.len(), 4);
    for pair in heard.chunks_mut(2) {
        assert_ne!(pair[0].body, pair[1].body);
        pair[0].json["createdAt"] = Value::Null;
        pair[1].json["createdAt"] = Value::Null;
        assert_eq!(pair[0].json, pair[1].json);
    }
}

#[tokio::test]
async fn copies_are_identical_where_time_takes_no_steps() {
    let options = Options {
        created_at_step_ms: 0,
        ..Options::default()
    };
    let room = room_with(options).await;
    let second = Subscription::to_everything(&room.webhook_url, SECRET);
    room.standin.subscribe(second).unwrap();
    room.standin.book(request("chat")).await.unwrap();
    let heard = room.take_heard();
    assert_eq!(heard[0].body, heard[1].body);
}
