//! The webhook as the first guides to Cal.com print it, and the calls they ask for: API v1.

use bookgate::standin::calcom::Booking;
use serde_json::json;

use super::post_signed;
use crate::harness::{Installation, Setup, run_test_on_file};

/// The body as the first guides to Cal.com's webhooks print it: accepted, times without
/// milliseconds, no calendar id.
fn printed(booking: &Booking) -> Vec<u8> {
    let ada = json!({"email": "ada@reader.example", "name": "Ada Booker", "timeZone": "Europe/Vienna", "language": {"locale": "de"}});
    json!({
        "triggerEvent": "BOOKING_CREATED",
        "createdAt": "2027-03-01T12:00:00.210Z",
        "payload": {
            "type": "chat", "title": "Chat between Ines Calendar and Ada Booker",
            "description": "", "additionalNotes": "", "customInputs": {},
            "startTime": booking.start.to_string(), "endTime": booking.end.to_string(),
            "organizer": {
                "id": 1, "name": "Ines Calendar", "email": "ines@studio.example", "username": "ines",
                "timeZone": "Europe/Vienna", "language": {"locale": "de"}, "timeFormat": "HH:mm",
            },
            "responses": {
                "name": {"label": "your_name", "value": "Ada Booker"},
                "email": {"label": "email_address", "value": "ada@reader.example"},
                "location": {"label": "location", "value": {"optionValue": "", "value": "inPerson"}},
                "notes": {"label": "additional_notes"},
                "guests": {"label": "additional_guests"},
                "rescheduleReason": {"label": "reschedule_reason"},
            },
            "userFieldsResponses": {}, "attendees": [ada], "location": "The reading room",
            "destinationCalendar": {
                "id": 4, "integration": "caldav_calendar", "externalId": "https://dav.studio.example/ines/",
                "userId": 1, "eventTypeId": null, "credentialId": 2,
            },
            "hideCalendarNotes": false, "requiresConfirmation": null, "eventTypeId": booking.event_type_id,
            "seatsShowAttendees": true, "seatsPerTimeSlot": null, "uid": booking.uid,
            "appsStatus": [{"appName": "CalDAV", "type": "caldav_calendar", "success": 1, "failures": 0, "errors": [], "warnings": []}],
            "eventTitle": "Short chat", "eventDescription": "", "price": 0, "currency": "eur",
            "length": 15, "bookingId": booking.number, "metadata": {}, "status": "ACCEPTED",
        },
    })
    .to_string()
    .into_bytes()
}

fn v1() -> Setup {
    Setup {
        dialect: "v1",
        ..Setup::default()
    }
}

/// What the stand-in was asked to change, as method and path.
fn changes(it: &Installation) -> Vec<String> {
    let calls = it.cal.calls().into_iter();
    calls
        .filter(|call| call.operation.changes())
        .map(|call| format!("{} {}", call.method, call.path))
        .collect()
}

#[tokio::test]
async fn the_printed_webhook_of_an_accepted_booking_lets_it_stand() {
    run_test_on_file(v1(), async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("5").await;
        let booking = it.cal.book(it.request("chat", 72)).await.unwrap();
        it.cal.take_outbox();
        assert_eq!(post_signed(it, &printed(&booking)).await, 200);
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        assert_eq!(changes(it), [] as [String; 0]);
        let seen = it.booking(&booking.uid).await;
        assert_eq!(seen["outcome"], "accept");
        it.assert_balance("3", "0").await;
    })
    .await;
}

/// The same webhook once more, as a second subscription would send it.
fn copy_of(body: &[u8]) -> Vec<u8> {
    let mut copy: serde_json::Value = serde_json::from_slice(body).unwrap();
    copy["createdAt"] = json!("2027-03-01T12:00:00.320Z");
    copy.to_string().into_bytes()
}

#[tokio::test]
async fn the_printed_webhook_of_a_pending_booking_has_it_patched_to_accepted() {
    run_test_on_file(v1(), async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.cal.take_outbox();
        let body = printed(&booking);
        for body in [&body, &copy_of(&body)] {
            assert_eq!(post_signed(it, body).await, 200);
            it.settle().await;
            assert_eq!(it.status_at_cal(&booking.uid), "accepted");
            let patched = format!("PATCH /v1/bookings/{}", booking.number);
            assert_eq!(changes(it), [patched]);
        }
        let seen = it.booking(&booking.uid).await;
        assert_eq!(seen["decisions"].as_array().unwrap().len(), 1);
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn the_printed_webhook_of_a_refused_pending_booking_has_it_cancelled_once() {
    run_test_on_file(v1(), async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("0.5").await;
        let booking = it.book(72).await;
        it.cal.take_outbox();
        let body = printed(&booking);
        for body in [&body, &copy_of(&body)] {
            assert_eq!(post_signed(it, body).await, 200);
            it.deliver_all().await;
            it.pass_ms(60_000).await;
            assert_eq!(it.status_at_cal(&booking.uid), "cancelled");
            let cancelled = format!("DELETE /v1/bookings/{}/cancel", booking.number);
            assert_eq!(changes(it), [cancelled]);
        }
        it.assert_balance("0.5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn the_printed_webhook_of_a_refused_booking_has_it_cancelled_with_the_reason() {
    run_test_on_file(v1(), async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("0.5").await;
        let booking = it.cal.book(it.request("chat", 72)).await.unwrap();
        it.cal.take_outbox();
        assert_eq!(post_signed(it, &printed(&booking)).await, 200);
        it.settle().await;
        it.deliver_all().await;
        it.pass_ms(60_000).await;
        let row = it.cal.booking(&booking.uid).unwrap();
        assert_eq!(row.status.as_str(), "cancelled");
        assert_eq!(
            row.cancellation_reason.unwrap(),
            "This costs 2 credits and you have 0.5."
        );
        assert_eq!(
            changes(it),
            [format!("DELETE /v1/bookings/{}/cancel", booking.number)]
        );
        it.assert_balance("0.5", "0").await;
    })
    .await;
}
