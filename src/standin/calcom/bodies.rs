//! The webhook bodies. Cal.com builds one event in three ways, and they differ in keys, labels and the
//! spelling of times: from the booking page's request, from the row after an answer, and from the row
//! for a cancel. See the table "Payload fields" in the notes on what was observed of Cal.com.

use jiff::tz::Offset;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Person;
use super::fields::{
    extend, field, in_server_zone, milliseconds, requested_attendee, row_metadata, row_responses,
    seconds, stored_attendee, upper, username, utc_offset_min,
};
use super::rows::{Booking, EventType, HOST_ID};
use super::state::Shared;
use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SeatId;

/// Every webhook: the keys in this order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    pub(super) trigger_event: &'static str,
    pub(super) created_at: String,
    pub(super) payload: &'a Value,
}

/// What a cancel adds to its body.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellation {
    pub(super) reason: Option<String>,
    /// Address of whoever cancelled, where the way taken tells it.
    pub(super) by: Option<String>,
    /// The host asks for another time.
    pub(super) request_reschedule: bool,
    /// v2 adds the links of its platform customers, empty.
    pub(super) through_v2: bool,
}

/// A booking and everything needed to write about it.
pub(super) struct About<'a> {
    pub(super) booking: &'a Booking,
    pub(super) event_type: &'a EventType,
    pub(super) host: &'a Person,
    /// The one seat it is about.
    pub(super) seat: Option<&'a SeatId>,
    /// Offset of the zone the server runs in.
    pub(super) server_offset: Offset,
}

impl Shared {
    /// Whose calendar a booking is on.
    pub(super) fn host_of<'a>(&'a self, booking: &'a Booking) -> &'a Person {
        booking.host.as_ref().unwrap_or(&self.options.host)
    }

    /// What is needed to write about a booking.
    pub(super) fn about<'a>(&'a self, booking: &'a Booking, seat: Option<&'a SeatId>) -> About<'a> {
        About {
            booking,
            event_type: self.event_type(booking),
            host: self.host_of(booking),
            seat,
            server_offset: self.options.server_offset,
        }
    }
}

impl About<'_> {
    /// REQUESTED, CREATED without an answer, RESCHEDULED: built from the request. `password` is the
    /// mail link's secret, which only a pending booking has; `moved` is the booking it replaces.
    pub(super) fn submitted(&self, password: Option<&str>, moved: Option<&Booking>) -> Value {
        let (booking, event_type) = (self.booking, self.event_type);
        let notes = booking.notes.as_deref().unwrap_or_default();
        let description = Some(event_type.description.as_str()).filter(|text| !text.is_empty());
        let mut body = self.common(seconds, requested_attendee);
        extend(
            &mut body,
            json!({
                "additionalNotes": notes,
                "description": description.unwrap_or(notes),
                "hideCalendarNotes": false,
                "hideCalendarEventDetails": false,
                "schedulingType": null,
                "seatsPerTimeSlot": event_type.seats,
                "seatsShowAttendees": true,
                "seatsShowAvailabilityCount": true,
                "disableRescheduling": false,
                "disableCancelling": false,
                "responses": self.requested_responses(),
                "destinationCalendar": null,
                "iCalSequence": booking.ical_sequence,
                "requiresConfirmation": booking.status == Status::Pending,
                "oneTimePassword": password,
                "price": 0,
                "metadata": self.metadata(),
                "status": upper(booking.status),
            }),
        );
        match moved {
            None => extend(&mut body, json!({ "iCalUID": booking.ical_uid })),
            Some(old) => extend(
                &mut body,
                json!({
                    "rescheduledBy": old.rescheduled_by,
                    "appsStatus": [],
                    "rescheduleId": old.number,
                    "rescheduleUid": old.uid,
                    "rescheduleStartTime": seconds(old.start),
                    "rescheduleEndTime": seconds(old.end),
                }),
            ),
        }
        Value::Object(body)
    }

    /// CREATED after a confirm: built from the row. Nothing in it tells of a move.
    pub(super) fn confirmed(&self) -> Value {
        let mut body = self.answered(Status::Accepted);
        if let Some(url) = self.event_type.place.link() {
            extend(&mut body, json!({ "metadata": { "videoCallUrl": url } }));
        }
        Value::Object(body)
    }

    /// REJECTED: built from the row.
    pub(super) fn rejected(&self, reason: Option<&str>) -> Value {
        let mut body = self.answered(Status::Rejected);
        if let Some(reason) = reason {
            extend(&mut body, json!({ "rejectionReason": reason }));
        }
        Value::Object(body)
    }

    fn answered(&self, status: Status) -> Map<String, Value> {
        let mut body = self.common(milliseconds, stored_attendee);
        extend(
            &mut body,
            json!({
                "responses": self.stored_responses(),
                "destinationCalendar": [],
                "requiresConfirmation": self.setting(),
                "hideCalendarNotes": false,
                "hideCalendarEventDetails": false,
                "price": 0,
                "status": upper(status),
            }),
        );
        if let Some(notes) = &self.booking.notes {
            extend(&mut body, json!({ "description": notes }));
        }
        body
    }

    /// CANCELLED: built from the row, which still says what it said before.
    pub(super) fn cancelled(&self, cancellation: &Cancellation) -> Value {
        let booking = self.booking;
        let offset = self.server_offset;
        let mut body = self.common(|time| in_server_zone(time, offset), stored_attendee);
        extend(
            &mut body,
            json!({
                "additionalNotes": booking.notes.as_deref().unwrap_or_default(),
                "description": self.event_type.description,
                "responses": self.stored_responses(),
                "destinationCalendar": [],
                "seatsPerTimeSlot": self.event_type.seats,
                "seatsShowAttendees": false,
                "iCalUID": booking.ical_uid,
                "iCalSequence": booking.ical_sequence + 1,
                "requiresConfirmation": self.setting(),
                "price": null,
                "status": upper(Status::Cancelled),
            }),
        );
        if let Some(reason) = &cancellation.reason {
            extend(&mut body, json!({ "cancellationReason": reason }));
        }
        if let Some(email) = &cancellation.by {
            extend(&mut body, json!({ "cancelledBy": email }));
        }
        if cancellation.request_reschedule {
            extend(&mut body, json!({ "requestReschedule": true }));
        }
        if cancellation.through_v2 {
            extend(
                &mut body,
                json!({
                    "platformClientId": "",
                    "platformRescheduleUrl": "",
                    "platformCancelUrl": "",
                    "platformBookingUrl": "",
                }),
            );
        }
        Value::Object(body)
    }

    /// NO_SHOW_UPDATED: its own shape, without uid, state or times.
    pub(super) fn no_show(&self, email: &str, missed: bool) -> Value {
        let marked = if missed { "marked" } else { "unmarked" };
        json!({
            "message": format!("{email} {marked} as no-show"),
            "attendees": [{ "email": email, "noShow": missed }],
            "bookingUid": self.booking.uid,
            "bookingId": self.booking.number,
        })
    }

    /// What all but a no-show have in common.
    fn common(
        &self,
        spell: impl Fn(Timestamp) -> String,
        attendee: impl Fn(&Person, Timestamp) -> Value,
    ) -> Map<String, Value> {
        let (booking, event_type) = (self.booking, self.event_type);
        let attendees = booking.attendees(self.seat);
        let mut body = Map::new();
        extend(
            &mut body,
            json!({
                "bookerUrl": "https://cal.example.net",
                "title": booking.title,
                "type": event_type.slug,
                "startTime": spell(booking.start),
                "endTime": spell(booking.end),
                "eventTypeId": event_type.id,
                "customInputs": {},
                "userFieldsResponses": {},
                "hideOrganizerEmail": false,
                "customReplyToEmail": null,
                "organizer": self.organizer(),
                "attendees": attendees.iter().map(|person| attendee(person, booking.start)).collect::<Vec<_>>(),
                "location": event_type.place.text(),
                "uid": booking.uid,
                "bookingId": booking.number,
                "eventTitle": event_type.title,
                "eventDescription": event_type.description,
                "currency": "usd",
                "length": event_type.length_min,
            }),
        );
        if booking.series.is_some() {
            let weekly = json!({ "freq": 2, "interval": 1, "count": booking.occurrences });
            extend(&mut body, json!({ "recurringEvent": weekly }));
        }
        if let Some(seat) = self.seat {
            extend(&mut body, json!({ "attendeeSeatId": seat }));
        }
        body
    }

    fn organizer(&self) -> Value {
        json!({
            "id": HOST_ID,
            "name": self.host.name,
            "email": self.host.email,
            "username": username(self.host),
            "timeZone": self.host.time_zone,
            "timeFormat": "h:mma",
            "language": { "locale": self.host.locale },
            "utcOffset": utc_offset_min(self.host, self.booking.start),
        })
    }

    /// What the event type says, where older code turns "no" into null.
    fn setting(&self) -> Option<bool> {
        self.event_type.requires_confirmation.then_some(true)
    }

    fn metadata(&self) -> Map<String, Value> {
        row_metadata(self.booking, &self.event_type.place)
    }

    /// Labels are translation keys; a field left empty has no value.
    fn requested_responses(&self) -> Map<String, Value> {
        let booking = self.booking;
        let booker = self.booker();
        let shown = |label: &str, value: Option<Value>| field(label, value, Some(false));
        let hidden = |label: &str| field(label, None, Some(true));
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("name", shown("your_name", Some(json!(booker.name))));
        put("email", shown("email_address", Some(json!(booker.email))));
        put("attendeePhoneNumber", hidden("phone_number"));
        let place = json!({ "value": self.event_type.place.text(), "optionValue": "" });
        put("location", shown("location", Some(place)));
        put("title", hidden("what_is_this_meeting_about"));
        let notes = booking.notes.as_ref().map(|notes| json!(notes));
        put("notes", shown("additional_notes", notes));
        put(
            "guests",
            shown("additional_guests", Some(json!(booking.guests))),
        );
        let reason = booking.reschedule_reason.as_ref().map(|text| json!(text));
        put("rescheduleReason", shown("reason_for_reschedule", reason));
        for (name, value) in &booking.answers {
            put(name, shown(name, Some(value.clone())));
        }
        fields
    }

    /// The row's answers under their own names, as for an event type never edited in the browser.
    fn stored_responses(&self) -> Map<String, Value> {
        let mut answers = row_responses(self.booking, &self.event_type.place);
        let booker = self.booker();
        answers.insert("name".to_owned(), json!(booker.name));
        answers.insert("email".to_owned(), json!(booker.email));
        answers
            .into_iter()
            .map(|(name, value)| {
                let labelled = field(&name, Some(value), None);
                (name, labelled)
            })
            .collect()
    }

    /// Whose answers they are: of one seat, whoever sits there.
    fn booker(&self) -> Person {
        let mut attendees = self.booking.attendees(self.seat);
        if attendees.is_empty() {
            return self.booking.booker.clone();
        }
        attendees.swap_remove(0)
    }
}
