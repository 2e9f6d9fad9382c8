//! A booking as the API answers it. One shape serves both dialects: v1 says `startTime`,
//! `responses`, `fromReschedule` and upper-case states where v2 says `start`,
//! `bookingFieldsResponses`, `rescheduledFromUid` and lower-case ones.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::details::Source;
use super::payload::{List, Loose, Person, RawMap, Text, status};
use crate::domain::booking::{Details, Reading};
use crate::domain::ids::SeatId;

/// Understands one booking; `None` if it lacks an id, a known state or its times. `asked` is the
/// seat the caller wants to know about: contents are told of that seat's booker.
pub(super) fn reading(raw: &RawValue, asked: Option<&SeatId>) -> Option<Reading> {
    let booking: Booking<'_> = serde_json::from_str(raw.get()).ok()?;
    let seats: Vec<SeatId> = booking
        .attendees
        .entries()
        .filter_map(|attendee| attendee.seat_uid.seat())
        .collect();
    Some(Reading {
        uid: booking.uid.uid()?,
        number: booking.id.0,
        status: status(&booking.status)?,
        start: booking.start.time()?,
        end: booking.end.time()?,
        moved_to: booking.rescheduled_to_uid.uid(),
        moved_from: booking.rescheduled_from_uid.uid(),
        moved_by: None,
        cancelled_by: None,
        ended_at: None,
        series: booking.recurring_booking_uid.kept(),
        created_at: booking.created_at.time(),
        cancellation_reason: booking.cancellation_reason.kept(),
        details: booking.details(!seats.is_empty(), asked).map(Box::new),
        seats: (!seats.is_empty()).then_some(seats),
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Booking<'a> {
    #[serde(borrow)]
    uid: Loose<Text<'a>>,
    id: Loose<i64>,
    status: Loose<Text<'a>>,
    #[serde(alias = "startTime")]
    start: Loose<Text<'a>>,
    #[serde(alias = "endTime")]
    end: Loose<Text<'a>>,
    rescheduled_to_uid: Loose<Text<'a>>,
    #[serde(alias = "fromReschedule")]
    rescheduled_from_uid: Loose<Text<'a>>,
    recurring_booking_uid: Loose<Text<'a>>,
    recurring_event_id: Option<IgnoredAny>,
    created_at: Loose<Text<'a>>,
    cancellation_reason: Loose<Text<'a>>,
    title: Loose<Text<'a>>,
    event_type_id: Loose<i64>,
    event_type: Loose<EventType<'a>>,
    attendees: List<Person<'a>>,
    guests: List<Text<'a>>,
    #[serde(alias = "responses")]
    booking_fields_responses: Loose<RawMap<'a>>,
    metadata: Loose<RawMap<'a>>,
    location: Loose<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventType<'a> {
    id: Loose<i64>,
    #[serde(borrow)]
    slug: Loose<Text<'a>>,
}

impl<'a> Booking<'a> {
    /// What can be decided on. `None` without attendees (a v1 PATCH answers none), and of a shared
    /// booking unless it is clear whose seat is meant.
    fn details(&self, seated: bool, asked: Option<&SeatId>) -> Option<Details> {
        let attendees: Vec<&Person<'a>> = if seated {
            vec![self.seat_holder(asked)?]
        } else {
            self.attendees.entries().collect()
        };
        let own = attendees.first()?.booking_fields_responses.0.as_ref();
        let event_type = self.event_type.0.as_ref();
        let source = Source {
            start: self.start.time()?,
            end: self.end.time()?,
            title: &self.title,
            event_type_id: self
                .event_type_id
                .0
                .or_else(|| event_type.and_then(|event_type| event_type.id.0)),
            event_type_slug: event_type.and_then(|event_type| event_type.slug.text()),
            responses: own.or(self.booking_fields_responses.0.as_ref()),
            attendees,
            guests: self
                .guests
                .entries()
                .map(|guest| guest.0.as_ref())
                .collect(),
            metadata: self.metadata.0.as_ref(),
            location: &self.location,
            notes: None,
            seated,
            recurring: self.recurring_booking_uid.text().is_some()
                || self.recurring_event_id.is_some(),
        };
        Some(source.into_details())
    }

    fn seat_holder(&self, asked: Option<&SeatId>) -> Option<&Person<'a>> {
        let mut attendees = self.attendees.entries();
        match asked {
            Some(seat) => attendees.find(|one| one.seat_uid.seat().as_ref() == Some(seat)),
            None => attendees.next().filter(|_| attendees.next().is_none()),
        }
    }
}
