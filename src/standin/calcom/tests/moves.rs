//! Moved bookings and no-shows.

use super::*;

#[tokio::test]
async fn flow_20_the_booker_moves_a_pending_booking() {
    let room = room().await;
    let old = room.pending().await;
    let new = room
        .standin
        .reschedule_by_booker(&old, tuesday(), Some("train"))
        .await
        .unwrap();
    let heard = room.take_heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].summary(), "REQUESTED 1001 PENDING, row PENDING");
    assert_eq!(heard[0].payload()["rescheduleUid"], old.as_str());
    assert_eq!(heard[0].payload()["rescheduledBy"], "rui@mail.example");

    let old_row = room.row(&old);
    assert_eq!(old_row.status, Status::Cancelled);
    assert!(old_row.rescheduled);
    assert_eq!(old_row.cancellation_reason, None);
    assert_eq!(new.from_reschedule, Some(old.clone()));
    assert_eq!(new.cancellation_reason.as_deref(), Some("train"));

    let read = room.get(&format!("/v2/bookings/{old}")).await.json();
    assert_eq!(read["data"]["rescheduledToUid"], new.uid.as_str());
    let read = room.get(&format!("/v2/bookings/{}", new.uid)).await.json();
    assert_eq!(read["data"]["rescheduledFromUid"], old.as_str());
}

#[tokio::test]
async fn flows_21_and_24_the_host_moves_and_nobody_is_asked() {
    let room = room().await;
    for confirmed in [false, true] {
        let old = room.pending().await;
        if confirmed {
            room.confirm(&old).await;
            room.take_heard();
        }
        let new = room
            .standin
            .reschedule_by_host(&old, tuesday(), None)
            .await
            .unwrap();
        let heard = room.take_heard();
        assert_eq!(heard.len(), 1);
        let number = new.number;
        let expected = format!("RESCHEDULED {number} ACCEPTED, row ACCEPTED");
        assert_eq!(heard[0].summary(), expected);
        assert_eq!(heard[0].payload()["rescheduledBy"], "ines@studio.example");
        assert_eq!(heard[0].payload()["requiresConfirmation"], false);
        assert_eq!(room.status(&old), Status::Cancelled);
        let cleared = room.standin.cancel_by_host(&new.uid, None).await;
        assert_eq!(cleared.unwrap().status, Status::Cancelled);
        room.take_heard();
    }
}

#[tokio::test]
async fn flow_22_the_created_of_a_confirmed_move_does_not_tell_of_the_move() {
    let room = room().await;
    let old = room.pending().await;
    room.confirm(&old).await;
    let new = room
        .standin
        .reschedule_by_booker(&old, tuesday(), None)
        .await
        .unwrap();
    assert_eq!(room.status(&old), Status::Cancelled);
    room.confirm(&new.uid).await;
    let heard = room.take_heard();
    let summaries: Vec<_> = heard.iter().map(Heard::summary).collect();
    assert_eq!(
        summaries,
        [
            "CREATED 1000 ACCEPTED, row ACCEPTED",
            "REQUESTED 1001 PENDING, row PENDING",
            "CREATED 1001 ACCEPTED, row ACCEPTED"
        ]
    );
    let moving = |heard: &Heard| {
        let payload = heard.payload().as_object().unwrap();
        payload
            .keys()
            .filter(|key| key.starts_with("reschedule"))
            .count()
    };
    assert_eq!(heard.iter().map(moving).collect::<Vec<_>>(), [0, 5, 0]);
}

#[tokio::test]
async fn flow_23_a_declined_move_leaves_nothing() {
    let room = room().await;
    let old = room.pending().await;
    room.confirm(&old).await;
    room.take_heard();
    let new = room
        .standin
        .reschedule_by_booker(&old, tuesday(), None)
        .await
        .unwrap();
    room.decline(&new.uid, "no").await;
    assert_eq!(
        room.heard(),
        [
            "REQUESTED 1001 PENDING, row PENDING",
            "REJECTED 1001 REJECTED, row REJECTED"
        ]
    );
    assert_eq!(room.status(&old), Status::Cancelled);
    assert_eq!(room.standin.live(), []);
}

#[tokio::test]
async fn flow_25_without_confirmation_a_move_stands_at_once() {
    let room = room().await;
    let old = room.booked("chat").await;
    room.standin
        .reschedule_by_booker(&old, tuesday(), None)
        .await
        .unwrap();
    assert_eq!(room.heard(), ["RESCHEDULED 1001 ACCEPTED, row ACCEPTED"]);
}

#[tokio::test]
async fn flow_32_a_confirm_of_the_old_uid_makes_both_live() {
    let room = room().await;
    let old = room.pending().await;
    let new = room
        .standin
        .reschedule_by_booker(&old, tuesday(), None)
        .await
        .unwrap();
    room.take_heard();
    room.confirm(&old).await;
    assert_eq!(room.heard(), ["CREATED 1000 ACCEPTED, row ACCEPTED"]);
    assert!(room.row(&old).rescheduled);
    assert_eq!(room.status(&new.uid), Status::Pending);
    room.confirm(&new.uid).await;
    assert_eq!(room.standin.live().len(), 2);
}

#[tokio::test]
async fn flow_52_what_is_over_cannot_be_moved() {
    let room = room().await;
    let uid = room.pending().await;
    room.standin.decline_by_host(&uid, None).await.unwrap();
    let refused = room
        .standin
        .reschedule_by_booker(&uid, tuesday(), None)
        .await;
    assert_eq!(refused.unwrap_err().http_status, 404);
    room.standin.cancel_by_booker(&uid, None).await.unwrap();
    let refused = room
        .standin
        .reschedule_by_booker(&uid, tuesday(), None)
        .await;
    let message = "cancelled_bookings_cannot_be_rescheduled (HTTP 400)";
    assert_eq!(refused.unwrap_err().to_string(), message);
}

#[tokio::test]
async fn flow_54_two_bookings_may_name_the_same_predecessor() {
    let room = room().await;
    let old = room.pending().await;
    for start in [tuesday(), time("2031-03-05T10:00:00Z")] {
        room.standin
            .reschedule_by_booker(&old, start, None)
            .await
            .unwrap();
    }
    let heard = room.take_heard();
    for (webhook, number) in heard.iter().zip([1001, 1002]) {
        let expected = format!("REQUESTED {number} PENDING, row PENDING");
        assert_eq!(webhook.summary(), expected);
        assert_eq!(webhook.payload()["rescheduleUid"], old.as_str());
    }
    assert_eq!(heard.len(), 2);
}

#[tokio::test]
async fn flow_55_a_no_show_has_its_own_shape() {
    let room = room().await;
    let uid = room.booked("chat").await;
    room.standin.mark_no_show(&uid).await.unwrap();
    let heard = room.take_heard();
    assert_eq!(
        heard[0].json,
        json!({
            "triggerEvent": "BOOKING_NO_SHOW_UPDATED",
            "createdAt": "2031-02-01T08:00:00.001Z",
            "payload": {
                "message": "rui@mail.example marked as no-show",
                "attendees": [{ "email": "rui@mail.example", "noShow": true }],
                "bookingUid": uid,
                "bookingId": 1000,
            }
        })
    );
    let read = room.get(&format!("/v2/bookings/{uid}")).await.json();
    assert_eq!(read["data"]["attendees"][0]["absent"], true);
    room.standin.take_back_no_show(&uid).await.unwrap();
    let heard = room.take_heard();
    assert_eq!(heard[0].payload()["attendees"][0]["noShow"], false);
    let read = room.get(&format!("/v2/bookings/{uid}")).await.json();
    assert_eq!(read["data"]["attendees"][0]["absent"], false);
}

#[tokio::test]
async fn a_request_to_move_cancels_and_the_booker_may_then_move() {
    let room = room().await;
    let old = room.pending().await;
    room.standin
        .request_reschedule_by_host(&old, "clash")
        .await
        .unwrap();
    let heard = room.take_heard();
    assert_eq!(
        heard[0].summary(),
        "CANCELLED 1000 CANCELLED, row CANCELLED"
    );
    assert_eq!(heard[0].payload()["requestReschedule"], true);
    let new = room
        .standin
        .reschedule_by_booker(&old, tuesday(), None)
        .await
        .unwrap();
    assert_eq!(new.from_reschedule, Some(old));
    assert_eq!(room.heard(), ["REQUESTED 1001 PENDING, row PENDING"]);
}
