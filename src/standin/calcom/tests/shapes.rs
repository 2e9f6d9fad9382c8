//! The bodies key by key: what each way of building one has, lacks, and spells differently.

use expect_test::expect;

use super::*;

fn keys(value: &Value) -> String {
    let keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.join(" ")
}

/// Every webhook of a booking's life: requested, confirmed, moved, declined; created and cancelled.
async fn a_life() -> Vec<Heard> {
    let room = room().await;
    let asked = BookingRequest {
        notes: Some("by the window".to_owned()),
        guests: vec!["nia@mail.example".to_owned()],
        answers: [("team".to_owned(), json!(["red", "blue"]))].into(),
        metadata: [("campaign".to_owned(), "spring".to_owned())].into(),
        ..request("consultation")
    };
    let old = room.standin.book(asked).await.unwrap().uid;
    room.confirm(&old).await;
    let new = room
        .standin
        .reschedule_by_booker(&old, tuesday(), Some("train"))
        .await
        .unwrap();
    room.decline(&new.uid, "no").await;
    let chat = room.standin.book(request("chat")).await.unwrap().uid;
    let reason = json!({ "cancellationReason": "ill" });
    room.post(&chat, "cancel", reason).await;
    room.take_heard()
}

#[tokio::test]
async fn each_way_of_building_a_body_has_its_own_keys() {
    let heard = a_life().await;
    let report: Vec<_> = heard
        .iter()
        .map(|webhook| {
            let trigger = webhook.json["triggerEvent"].as_str().unwrap();
            format!("{trigger}: {}", keys(webhook.payload()))
        })
        .collect();
    expect![[r#"
        BOOKING_REQUESTED: additionalNotes attendees bookerUrl bookingId currency customInputs customReplyToEmail description destinationCalendar disableCancelling disableRescheduling endTime eventDescription eventTitle eventTypeId hideCalendarEventDetails hideCalendarNotes hideOrganizerEmail iCalSequence iCalUID length location metadata oneTimePassword organizer price requiresConfirmation responses schedulingType seatsPerTimeSlot seatsShowAttendees seatsShowAvailabilityCount startTime status title type uid userFieldsResponses
        BOOKING_CREATED: attendees bookerUrl bookingId currency customInputs customReplyToEmail description destinationCalendar endTime eventDescription eventTitle eventTypeId hideCalendarEventDetails hideCalendarNotes hideOrganizerEmail length location metadata organizer price requiresConfirmation responses startTime status title type uid userFieldsResponses
        BOOKING_REQUESTED: additionalNotes appsStatus attendees bookerUrl bookingId currency customInputs customReplyToEmail description destinationCalendar disableCancelling disableRescheduling endTime eventDescription eventTitle eventTypeId hideCalendarEventDetails hideCalendarNotes hideOrganizerEmail iCalSequence length location metadata oneTimePassword organizer price requiresConfirmation rescheduleEndTime rescheduleId rescheduleStartTime rescheduleUid rescheduledBy responses schedulingType seatsPerTimeSlot seatsShowAttendees seatsShowAvailabilityCount startTime status title type uid userFieldsResponses
        BOOKING_REJECTED: attendees bookerUrl bookingId currency customInputs customReplyToEmail description destinationCalendar endTime eventDescription eventTitle eventTypeId hideCalendarEventDetails hideCalendarNotes hideOrganizerEmail length location organizer price rejectionReason requiresConfirmation responses startTime status title type uid userFieldsResponses
        BOOKING_CREATED: additionalNotes attendees bookerUrl bookingId currency customInputs customReplyToEmail description destinationCalendar disableCancelling disableRescheduling endTime eventDescription eventTitle eventTypeId hideCalendarEventDetails hideCalendarNotes hideOrganizerEmail iCalSequence iCalUID length location metadata oneTimePassword organizer price requiresConfirmation responses schedulingType seatsPerTimeSlot seatsShowAttendees seatsShowAvailabilityCount startTime status title type uid userFieldsResponses
        BOOKING_CANCELLED: additionalNotes attendees bookerUrl bookingId cancellationReason currency customInputs customReplyToEmail description destinationCalendar endTime eventDescription eventTitle eventTypeId hideOrganizerEmail iCalSequence iCalUID length location organizer platformBookingUrl platformCancelUrl platformClientId platformRescheduleUrl price requiresConfirmation responses seatsPerTimeSlot seatsShowAttendees startTime status title type uid userFieldsResponses"#]].assert_eq(&report.join("\n"));
}

#[tokio::test]
async fn times_are_spelled_in_three_ways() {
    let heard = a_life().await;
    let starts: Vec<_> = heard
        .iter()
        .map(|webhook| webhook.payload()["startTime"].clone())
        .collect();
    assert_eq!(
        starts,
        [
            "2031-03-03T09:00:00Z",
            "2031-03-03T09:00:00.000Z",
            "2031-03-04T14:30:00Z",
            "2031-03-04T14:30:00.000Z",
            "2031-03-03T09:00:00Z",
            "2031-03-03T09:00:00+00:00"
        ]
    );
    assert_eq!(
        heard[2].payload()["rescheduleStartTime"],
        "2031-03-03T09:00:00Z"
    );
    let created: Vec<_> = heard
        .iter()
        .map(|webhook| webhook.json["createdAt"].clone())
        .collect();
    assert_eq!(created[0], "2031-02-01T08:00:00.000Z");
    assert_eq!(created[5], "2031-02-01T08:00:00.005Z");
}

#[tokio::test]
async fn the_server_zone_shows_in_a_cancel() {
    let options = Options {
        server_offset: jiff::tz::offset(2),
        ..Options::default()
    };
    let room = room_with(options).await;
    let uid = room.booked("chat").await;
    room.standin.cancel_by_host(&uid, None).await.unwrap();
    let heard = room.take_heard();
    let payload = heard[0].payload();
    assert_eq!(payload["startTime"], "2031-03-03T11:00:00+02:00");
    assert_eq!(payload["cancelledBy"], "ines@studio.example");
    assert!(payload.get("cancellationReason").is_none());
    assert!(payload.get("platformClientId").is_none());
}

#[tokio::test]
async fn values_differ_between_request_and_row() {
    let heard = a_life().await;
    let [requested, confirmed, moved, rejected, created, cancelled] = &heard[..] else {
        panic!("six webhooks");
    };
    let field = |webhook: &Heard, name: &str| webhook.payload()["responses"][name].clone();
    let label = json!({ "label": "your_name", "value": "Rui Booker", "isHidden": false });
    assert_eq!(field(requested, "name"), label);
    let label = json!({ "label": "name", "value": "Rui Booker" });
    assert_eq!(field(confirmed, "name"), label);
    let team = json!({ "label": "team", "value": ["red", "blue"] });
    assert_eq!(field(rejected, "team"), team);
    assert_eq!(field(moved, "rescheduleReason")["value"], "train");
    assert_eq!(
        field(requested, "location")["value"]["value"],
        "https://meet.example.net/consultation"
    );
    assert_eq!(field(confirmed, "location")["value"]["value"], "link");

    let metadata = |webhook: &Heard| webhook.payload()["metadata"].clone();
    assert_eq!(metadata(requested)["campaign"], "spring");
    let link = json!({ "videoCallUrl": "https://meet.example.net/consultation" });
    assert_eq!(metadata(confirmed), link);

    let pick = |webhook: &Heard, key: &str| webhook.payload().get(key).cloned();
    assert_eq!(pick(requested, "iCalSequence"), Some(json!(0)));
    assert_eq!(pick(moved, "iCalSequence"), Some(json!(1)));
    assert_eq!(pick(cancelled, "iCalSequence"), Some(json!(1)));
    assert_eq!(pick(created, "oneTimePassword"), Some(Value::Null));
    assert!(pick(requested, "oneTimePassword").unwrap().is_string());
    assert_eq!(pick(requested, "requiresConfirmation"), Some(json!(true)));
    assert_eq!(pick(created, "requiresConfirmation"), Some(json!(false)));
    assert_eq!(pick(cancelled, "requiresConfirmation"), Some(Value::Null));
    assert_eq!(pick(cancelled, "price"), Some(Value::Null));

    let attendees = requested.payload()["attendees"].as_array().unwrap();
    assert_eq!(
        keys(&attendees[0]),
        "email firstName language lastName name timeZone utcOffset"
    );
    assert_eq!(attendees[1]["name"], "");
    let attendees = confirmed.payload()["attendees"].as_array().unwrap();
    assert_eq!(
        keys(&attendees[0]),
        "email language name phoneNumber timeZone utcOffset"
    );
}

#[tokio::test]
async fn the_envelope_keeps_its_order_of_keys() {
    let heard = a_life().await;
    for webhook in heard {
        let text = String::from_utf8(webhook.body.to_vec()).unwrap();
        assert!(text.starts_with("{\"triggerEvent\":\"BOOKING_"));
        let created = text.find("\"createdAt\"").unwrap();
        assert!(created < text.find("\"payload\"").unwrap());
    }
}

#[tokio::test]
async fn a_booking_as_both_dialects_show_it() {
    let room = room().await;
    let uid = room.pending().await;
    room.standin
        .reschedule_by_booker(&uid, tuesday(), Some("train"))
        .await
        .unwrap();
    let new = room.standin.bookings()[1].uid.clone();
    let mut report = Vec::new();
    for uid in [&uid, &new] {
        let read = room.get(&format!("/v2/bookings/{uid}")).await.json();
        report.push(format!("v2: {}", keys(&read["data"])));
    }
    let read = room
        .get("/v1/bookings/1001?apiKey=cal_standin")
        .await
        .json();
    report.push(format!("v1: {}", keys(&read["booking"])));
    expect![[r#"
        v2: absentHost attendees bookingFieldsResponses createdAt description duration end eventType eventTypeId guests hosts icsUid id location meetingUrl metadata rating rescheduledByEmail rescheduledToUid start status title uid updatedAt
        v2: absentHost attendees bookingFieldsResponses createdAt description duration end eventType eventTypeId guests hosts icsUid id location meetingUrl metadata rating rescheduledFromUid start status title uid updatedAt
        v1: attendees cancelledBy createdAt description endTime eventTypeId fromReschedule id metadata payment rescheduledBy responses startTime status title uid user userId"#]].assert_eq(&report.join("\n"));
}
