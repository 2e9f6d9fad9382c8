//! Booking, confirm, decline, cancel, v1. Numbers name the observed flows.

use super::*;

#[tokio::test]
async fn flows_01_and_02_a_booking_is_requested_or_created() {
    let room = room().await;
    room.standin.book(request("consultation")).await.unwrap();
    room.standin.book(request("chat")).await.unwrap();
    assert_eq!(
        room.heard(),
        [
            "REQUESTED 1000 PENDING, row PENDING",
            "CREATED 1001 ACCEPTED, row ACCEPTED"
        ]
    );
    let uid = room.standin.bookings()[0].uid.clone();
    assert_eq!(uid.as_str().len(), 22);
}

#[tokio::test]
async fn flows_04_and_18_a_confirm_changes_the_row_and_then_tells() {
    let room = room().await;
    let uid = room.pending().await;
    let answer = room.confirm(&uid).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["data"]["status"], "accepted");
    assert_eq!(room.heard(), ["CREATED 1000 ACCEPTED, row ACCEPTED"]);

    let other = BookingRequest::new("consultation", tuesday(), booker());
    let by_hand = room.standin.book(other).await.unwrap().uid;
    room.standin.confirm_by_host(&by_hand).await.unwrap();
    assert_eq!(room.heard()[1], "CREATED 1001 ACCEPTED, row ACCEPTED");
}

#[tokio::test]
async fn flows_05_06_and_19_a_decline_carries_its_reason_if_there_is_one() {
    let room = room().await;
    let uid = room.pending().await;
    let answer = room.decline(&uid, "not \"now\"").await;
    assert_eq!(answer.json()["data"]["status"], "rejected");
    assert!(answer.json()["data"].get("rejectionReason").is_none());
    let heard = room.take_heard();
    assert_eq!(heard[0].summary(), "REJECTED 1000 REJECTED, row REJECTED");
    assert_eq!(heard[0].payload()["rejectionReason"], "not \"now\"");
    assert_eq!(
        room.row(&uid).rejection_reason.as_deref(),
        Some("not \"now\"")
    );

    let uid = room.pending().await;
    room.standin.decline_by_host(&uid, None).await.unwrap();
    let heard = room.take_heard();
    assert!(heard[0].payload().get("rejectionReason").is_none());
}

#[tokio::test]
async fn flows_07_to_12_a_cancel_tells_before_the_row_changes() {
    let room = room().await;
    let uid = room.booked("chat").await;

    let without = room.post(&uid, "cancel", json!({})).await;
    let message = "Cancellation reason is required when you are the host";
    assert_eq!(without.error(), (400, message.to_owned()));
    assert_eq!(room.heard(), Vec::<String>::new());
    assert_eq!(room.status(&uid), Status::Accepted);

    let reason = json!({ "cancellationReason": "ill" });
    let answer = room.post(&uid, "cancel", reason).await;
    assert_eq!(answer.json()["data"]["cancellationReason"], "ill");
    let heard = room.take_heard();
    assert_eq!(heard[0].summary(), "CANCELLED 1000 CANCELLED, row ACCEPTED");
    assert!(heard[0].payload().get("cancelledBy").is_none());
    assert_eq!(room.status(&uid), Status::Cancelled);

    // Anybody who knows the uid may cancel, without a key and without a reason.
    let uid = room.pending().await;
    let path = format!("/v2/bookings/{uid}/cancel");
    let answer = room.call("POST", &path, &[VERSION], None).await;
    assert_eq!(answer.status, 200);
    assert_eq!(room.heard(), ["CANCELLED 1001 CANCELLED, row PENDING"]);

    let uid = room.pending().await;
    room.standin
        .cancel_by_booker(&uid, Some("rain"))
        .await
        .unwrap();
    let heard = room.take_heard();
    assert_eq!(heard[0].payload()["cancelledBy"], "rui@mail.example");
    assert_eq!(heard[0].payload()["cancellationReason"], "rain");
}

#[tokio::test]
async fn flows_13_and_14_v1_cancels_with_a_reason_of_its_own() {
    let room = room().await;
    for (query, reason) in [
        ("", "Not Provided"),
        ("&cancellationReason=no%20seat", "no seat"),
    ] {
        let uid = room.pending().await;
        let number = room.row(&uid).number;
        let path = format!("/v1/bookings/{number}/cancel?apiKey=cal_standin{query}");
        let answer = room.call("DELETE", &path, &[], None).await;
        assert_eq!(answer.json()["bookingUid"], uid.as_str());
        let heard = room.take_heard();
        assert_eq!(heard[0].payload()["cancellationReason"], reason);
        assert_eq!(room.row(&uid).cancellation_reason.as_deref(), Some(reason));
        assert_eq!(heard[0].row.as_ref().unwrap().status, Status::Pending);
    }
}

#[tokio::test]
async fn flows_15_to_17_v1_writes_the_row_and_tells_nobody() {
    let room = room().await;
    let uid = room.pending().await;
    let path = "/v1/bookings/1000?apiKey=cal_standin";
    let patch = async |body: Value| room.call("PATCH", path, &[], Some(body)).await;
    for wrong in [
        json!({ "status": "accepted" }),
        json!({ "rejectionReason": "x" }),
        json!({ "status": "REJECTED", "cancellationReason": "x" }),
    ] {
        assert_eq!(patch(wrong).await.status, 400);
        assert_eq!(room.status(&uid), Status::Pending);
    }
    for (word, status) in [
        ("ACCEPTED", Status::Accepted),
        ("REJECTED", Status::Rejected),
        ("CANCELLED", Status::Cancelled),
    ] {
        let answer = patch(json!({ "status": word })).await;
        assert_eq!(answer.json()["booking"]["status"], word);
        assert_eq!(room.status(&uid), status);
        let read = room.call("GET", path, &[], None).await.json();
        assert_eq!(read["booking"]["status"], word);
        assert_eq!(read["booking"]["attendees"][0]["email"], "rui@mail.example");
    }
    assert_eq!(room.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn v1_keys_and_unknown_bookings() {
    let room = room().await;
    let get = async |path: &str| {
        let answer = room.call("GET", path, &[], None).await;
        (answer.status, answer.json())
    };
    let nobody = json!({ "message": "No apiKey provided" });
    assert_eq!(get("/v1/bookings/1000").await, (401, nobody));
    let stranger = json!({ "error": "Your apiKey is not valid" });
    assert_eq!(get("/v1/bookings/1000?apiKey=x").await, (401, stranger));
    let unknown = json!({ "message": "You are not authorized" });
    assert_eq!(
        get("/v1/bookings/7?apiKey=cal_standin").await,
        (403, unknown)
    );
}

#[tokio::test]
async fn flow_28_only_an_accepted_booking_refuses_an_answer() {
    let room = room().await;
    let uid = room.booked("chat").await;
    let text = "Bad request: Please check your request data and try again";
    assert_eq!(room.confirm(&uid).await.error(), (400, text.to_owned()));
    assert_eq!(
        room.decline(&uid, "x").await.error(),
        (400, text.to_owned())
    );
    assert_eq!(
        room.confirm(&uid).await.json()["error"]["code"],
        "TRPCError"
    );
    assert_eq!(room.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn flows_29_to_31_answers_to_a_booking_that_is_over_bring_it_back() {
    let room = room().await;
    let uid = room.pending().await;
    room.decline(&uid, "first").await;
    assert_eq!(room.decline(&uid, "second").await.status, 200);
    assert_eq!(room.confirm(&uid).await.status, 200);
    assert_eq!(
        room.heard(),
        [
            "REJECTED 1000 REJECTED, row REJECTED",
            "REJECTED 1000 REJECTED, row REJECTED",
            "CREATED 1000 ACCEPTED, row ACCEPTED"
        ]
    );
    let row = room.row(&uid);
    assert_eq!(row.rejection_reason.as_deref(), Some("second"));

    room.standin
        .cancel_by_booker(&uid, Some("gone"))
        .await
        .unwrap();
    room.take_heard();
    assert_eq!(room.decline(&uid, "late").await.status, 200);
    assert_eq!(room.heard(), ["REJECTED 1000 REJECTED, row REJECTED"]);

    room.standin
        .cancel_by_booker(&uid, Some("gone"))
        .await
        .unwrap();
    room.take_heard();
    let answer = room.confirm(&uid).await.json();
    assert!(answer["data"].get("cancellationReason").is_none());
    assert_eq!(room.heard(), ["CREATED 1000 ACCEPTED, row ACCEPTED"]);
    assert_eq!(room.row(&uid).cancellation_reason.as_deref(), Some("gone"));
    assert_eq!(room.standin.live().len(), 1);
}

#[tokio::test]
async fn flow_33_a_booking_is_cancelled_once_and_a_rejected_one_can_be() {
    let room = room().await;
    let uid = room.pending().await;
    room.decline(&uid, "no").await;
    let reason = || json!({ "cancellationReason": "x" });
    assert_eq!(room.post(&uid, "cancel", reason()).await.status, 200);
    let again = room.post(&uid, "cancel", reason()).await.error();
    let message = "This booking has already been cancelled.";
    assert_eq!(again, (400, message.to_owned()));
    assert_eq!(
        room.heard(),
        [
            "REJECTED 1000 REJECTED, row REJECTED",
            "CANCELLED 1000 CANCELLED, row REJECTED"
        ]
    );
}

#[tokio::test]
async fn flow_42_an_ended_booking_cannot_be_cancelled_but_confirmed() {
    let room = room().await;
    let uid = room.pending().await;
    room.clock.advance_ms(60 * 24 * 60 * 60 * 1_000);
    let reason = json!({ "cancellationReason": "x" });
    let message = "Cannot cancel a booking that has already ended";
    let refused = room.post(&uid, "cancel", reason).await.error();
    assert_eq!(refused, (400, message.to_owned()));
    assert_eq!(room.confirm(&uid).await.status, 200);
    assert_eq!(room.status(&uid), Status::Accepted);
}

#[tokio::test]
async fn flow_38_answers_may_come_from_inside_the_webhook() {
    let room = room().await;
    room.react(Reaction::ConfirmRequests);
    let confirmed = room.standin.book(request("consultation")).await.unwrap();
    assert_eq!(confirmed.status, Status::Pending);
    assert_eq!(room.status(&confirmed.uid), Status::Accepted);
    room.react(Reaction::DeclineRequests);
    let later = BookingRequest::new("consultation", tuesday(), booker());
    let declined = room.standin.book(later).await.unwrap();
    assert_eq!(room.status(&declined.uid), Status::Rejected);
    assert_eq!(
        room.heard(),
        [
            "REQUESTED 1000 PENDING, row PENDING",
            "CREATED 1000 ACCEPTED, row ACCEPTED",
            "REQUESTED 1001 PENDING, row PENDING",
            "REJECTED 1001 REJECTED, row REJECTED"
        ]
    );
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_is_not_sent_again() {
    let room = room().await;
    room.react(Reaction::Fail);
    let uid = room
        .standin
        .book(request("consultation"))
        .await
        .unwrap()
        .uid;
    assert_eq!(room.confirm(&uid).await.status, 200);
    assert_eq!(room.heard().len(), 2);
}

#[tokio::test]
async fn a_slot_is_blocked_by_accepted_bookings_only() {
    let room = room().await;
    let uid = room.pending().await;
    let by = |name: &str| BookingRequest {
        booker: Person::new(name, format!("{name}@mail.example")),
        ..request("consultation")
    };
    let same = room.standin.book(request("consultation")).await.unwrap();
    assert_eq!(same.uid, uid);
    assert_eq!(room.heard(), Vec::<String>::new());
    let other = room.standin.book(by("mo")).await.unwrap();
    room.confirm(&uid).await;
    let refused = room.standin.book(by("ida")).await.unwrap_err();
    assert_eq!(refused.http_status, 409);
    // Flow 27: whoever was pending before can still be confirmed into the same slot.
    assert_eq!(room.confirm(&other.uid).await.status, 200);
    assert_eq!(room.standin.live().len(), 2);
}

#[tokio::test]
async fn v2_wants_its_version_and_where_it_matters_its_key() {
    let room = room().await;
    let uid = room.pending().await;
    let path = format!("/v2/bookings/{uid}");
    let confirm = format!("{path}/confirm");
    let key = as_host()[1];
    let unversioned = room.call("POST", &confirm, &[key], None).await;
    assert_eq!(unversioned.error(), (404, format!("Cannot POST {confirm}")));
    assert_eq!(
        room.call("POST", &confirm, &[VERSION], None).await.status,
        401
    );
    let wrong = [VERSION, ("authorization", "Bearer x")];
    assert_eq!(room.call("POST", &confirm, &wrong, None).await.status, 401);
    assert_eq!(room.call("GET", &path, &[VERSION], None).await.status, 200);

    let unknown = room.confirm(&Uid::new("nobody")).await;
    let message = "Booking with uid=nobody was not found in the database";
    assert_eq!(unknown.error(), (404, message.to_owned()));
    let envelope = unknown.json();
    assert_eq!(envelope["status"], "error");
    assert_eq!(envelope["path"], "/v2/bookings/nobody/confirm");
    assert_eq!(envelope["error"]["code"], "NotFoundException");
    assert_eq!(envelope["timestamp"], "2031-02-01T08:00:00.000Z");
}
