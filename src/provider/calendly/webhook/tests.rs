use serde_json::{Value, json};

use super::*;
use crate::domain::booking::{Answer, Party};
use crate::domain::ids::Uid;

const API: &str = "https://api.calendly.com";

fn uri(event: &str, invitee: &str) -> String {
    format!("{API}/scheduled_events/{event}/invitees/{invitee}")
}

/// A webhook as it has been sent since 2023.
fn body(name: &str) -> Value {
    json!({
        "event": name,
        "created_at": "2027-02-01T09:00:00.000000Z",
        "created_by": format!("{API}/users/U1"),
        "payload": {
            "uri": uri("E1", "I1"),
            "event": format!("{API}/scheduled_events/E1"),
            "email": "Mara@Example.org",
            "name": "Mara Lind",
            "first_name": null,
            "last_name": null,
            "status": "active",
            "timezone": "Europe/Vienna",
            "created_at": "2027-02-01T09:00:00.417300Z",
            "updated_at": "2027-02-01T09:00:00.520011Z",
            "rescheduled": false,
            "old_invitee": null,
            "new_invitee": null,
            "questions_and_answers": [
                {"question": "What is it about?", "answer": "Chapter 3\nand 4", "position": 0},
                {"question": "Phone", "answer": "", "position": 1}
            ],
            "tracking": {"utm_source": "reader-7", "utm_medium": null, "salesforce_uuid": null},
            "payment": null,
            "scheduled_event": {
                "uri": format!("{API}/scheduled_events/E1"),
                "name": "Reading hour",
                "status": "active",
                "start_time": "2027-02-04T10:00:00.000000Z",
                "end_time": "2027-02-04T10:45:00Z",
                "event_type": format!("{API}/event_types/T1"),
                "location": {"type": "custom", "location": null, "join_url": "https://rooms.example/7"},
                "invitees_counter": {"total": 1, "active": 1, "limit": 1},
                "event_guests": [{"email": "Ola@example.org"}, {"email": "nobody"}, {"email": "mara@example.org"}]
            }
        }
    })
}

fn parsed_with(body: &Value, types: &EventTypes) -> Parsed {
    let bytes = serde_json::to_vec(body).unwrap();
    parse(
        RawDelivery {
            body: &bytes,
            content_type: Some("application/json"),
        },
        types,
    )
}

fn event_of(body: &Value) -> BookingEvent {
    match parsed_with(body, &EventTypes::default()) {
        Parsed::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

/// The old half of a move from E1.I1 to E2.I2.
fn old_half() -> Value {
    let mut body = body("invitee.canceled");
    let payload = &mut body["payload"];
    payload["status"] = "canceled".into();
    payload["rescheduled"] = true.into();
    payload["new_invitee"] = uri("E2", "I2").into();
    payload["cancellation"] =
        json!({"canceled_by": "Mara Lind", "reason": "", "canceler_type": "invitee"});
    body
}

#[test]
fn a_creation_tells_all_that_policies_ask_for() {
    let event = event_of(&body("invitee.created"));
    assert_eq!(
        (event.kind, event.uid),
        (EventKind::Created, Uid::new("E1.I1"))
    );
    assert_eq!(
        event.sent_at.unwrap().to_string(),
        "2027-02-01T09:00:00.520011Z"
    );
    let details = event.details.unwrap();
    assert_eq!(details.length_min(), 45);
    assert_eq!(
        details.booker.email.unwrap().to_string(),
        "mara@example.org"
    );
    assert_eq!(details.booker.name, "Mara Lind");
    assert_eq!(details.booker.time_zone.as_deref(), Some("Europe/Vienna"));
    let guests: Vec<_> = details.guests.iter().map(ToString::to_string).collect();
    assert_eq!(guests, ["ola@example.org"]);
    let answer = Answer::Text("Chapter 3\nand 4".to_owned());
    assert_eq!(
        details.answers.into_iter().collect::<Vec<_>>(),
        [("What is it about?".to_owned(), answer)]
    );
    let metadata: Vec<_> = details.metadata.into_iter().collect();
    assert_eq!(metadata, [("utm_source".to_owned(), "reader-7".to_owned())]);
    assert_eq!(details.location.as_deref(), Some("https://rooms.example/7"));
    assert_eq!(
        details.event_type_aliases,
        [
            "https://api.calendly.com/event_types/T1",
            "T1",
            "Reading hour"
        ]
    );
    assert!(!details.seated);
}

#[test]
fn a_slug_is_told_once_it_is_known() {
    let types = EventTypes::default();
    types.learn("T1", Some("reading-hour".to_owned()));
    let Parsed::Event(event) = parsed_with(&body("invitee.created"), &types) else {
        panic!("an event");
    };
    assert_eq!(
        event.details.unwrap().event_type_slug.as_deref(),
        Some("reading-hour")
    );
}

#[test]
fn a_place_in_a_group_event_is_shared() {
    let mut body = body("invitee.created");
    body["payload"]["scheduled_event"]["invitees_counter"]["limit"] = 8.into();
    assert!(event_of(&body).details.unwrap().seated);
}

#[test]
fn both_halves_of_a_move_name_the_other() {
    let old = event_of(&old_half());
    assert_eq!(old.kind, EventKind::Moved);
    assert_eq!(old.successor, Some(Uid::new("E2.I2")));
    assert_eq!(
        (old.moved_by, old.cancelled_by),
        (Some(Party::Booker), None)
    );

    let mut new = body("invitee.created");
    new["payload"]["old_invitee"] = uri("E0", "I0").into();
    let new = event_of(&new);
    assert_eq!(new.kind, EventKind::Rescheduled);
    assert_eq!(new.predecessor.unwrap().uid, Uid::new("E0.I0"));
    assert_eq!((new.successor, new.moved_by), (None, None));
}

#[test]
fn a_plain_cancel_ends_the_booking_even_after_a_move() {
    let mut body = old_half();
    body["payload"]["rescheduled"] = false.into();
    body["payload"]["new_invitee"] = Value::Null;
    body["payload"]["old_invitee"] = uri("E0", "I0").into();
    body["payload"]["cancellation"] = json!({"reason": "ill", "canceler_type": "host"});
    let event = event_of(&body);
    assert_eq!(event.kind, EventKind::Cancelled);
    assert_eq!(
        (event.cancelled_by, event.moved_by),
        (Some(Party::Host), None)
    );
    assert_eq!(event.reason.as_deref(), Some("ill"));
    assert_eq!(event.predecessor.unwrap().uid, Uid::new("E0.I0"));
}

#[test]
fn the_event_that_a_guide_invented_is_whichever_half_it_shows() {
    let mut old = old_half();
    old["event"] = "invitee.rescheduled".into();
    assert_eq!(event_of(&old).kind, EventKind::Moved);
    let mut new = body("invitee.rescheduled");
    new["payload"]["old_invitee"] = uri("E0", "I0").into();
    assert_eq!(event_of(&new).kind, EventKind::Rescheduled);
}

#[test]
fn a_body_of_2020_has_no_times_and_is_understood() {
    let mut body = body("invitee.created");
    let payload = body["payload"].as_object_mut().unwrap();
    for absent in ["scheduled_event", "payment", "first_name", "last_name"] {
        payload.remove(absent);
    }
    payload["uri"] = "https://calendly.com/api/v2/scheduled_events/E1/invitees/I1".into();
    body.as_object_mut().unwrap().remove("created_by");
    let event = event_of(&body);
    assert_eq!((event.uid, event.details), (Uid::new("E1.I1"), None));
}

#[test]
fn other_events_are_ignored_and_nonsense_is_kept_with_its_reason() {
    let types = EventTypes::default();
    for name in ["event_type.updated", "routing_form_submission.created"] {
        let ignored = parsed_with(&json!({"event": name, "payload": {}}), &types);
        assert_eq!(ignored, Parsed::Ignored(name.to_owned()));
    }
    for (name, taken_back) in [
        ("invitee_no_show.created", false),
        ("invitee_no_show.deleted", true),
    ] {
        let event = event_of(&body(name));
        assert_eq!(
            (event.kind, event.taken_back),
            (EventKind::NoShow, taken_back)
        );
    }
    for (body, why) in [
        (json!({"hello": 1}), "no `event`"),
        (json!({"event": "a b"}), "not the name of an event"),
        (json!({"event": "invitee.created"}), "without a `payload`"),
        (
            json!({"event": "invitee.created", "payload": {"uri": "x"}}),
            "`payload.uri` is not",
        ),
        (json!("text"), "not an object"),
    ] {
        match parsed_with(&body, &types) {
            Parsed::Unparsed(told) => assert!(told.contains(why), "{told}"),
            other => panic!("{other:?}"),
        }
    }
}
