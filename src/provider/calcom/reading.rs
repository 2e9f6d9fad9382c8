//! A booking as the API answers it. One shape serves both dialects: v1 says `startTime`,
//! `responses`, `fromReschedule`, `cancelledBy` and upper-case states where v2 says `start`,
//! `bookingFieldsResponses`, `rescheduledFromUid`, `cancelledByEmail` and lower-case ones.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::details::Source;
use super::payload::{List, Loose, Person, RawMap, Text, status};
use crate::domain::booking::{Details, Party, Reading};
use crate::domain::ids::SeatId;
use crate::domain::owner::Owner;

/// The user whom an API key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Me {
    pub(super) id: i64,
    pub(super) email: Option<Owner>,
}

/// A booking as a list has it.
pub(super) struct Listed {
    pub(super) reading: Reading,
    /// Whether the key's owner is its host. A list also has what they are invited to.
    pub(super) at_home: bool,
}

/// Understands an entry of a list; `None` as in [`reading`].
pub(super) fn listed(raw: &RawValue, me: &Me) -> Option<Listed> {
    let booking: Booking<'_> = serde_json::from_str(raw.get()).ok()?;
    let mut hosts = booking.hosts.entries();
    let at_home = hosts.any(|host| {
        host.id.0 == Some(me.id) || me.email.is_some() && host.email.owner() == me.email
    });
    Some(Listed {
        at_home,
        reading: booking.reading(None)?,
    })
}

/// Understands one booking; `None` if it lacks an id, a known state or its times. `asked` is the
/// seat the caller wants to know about: contents are told of that seat's booker.
pub(super) fn reading(raw: &RawValue, asked: Option<&SeatId>) -> Option<Reading> {
    let booking: Booking<'_> = serde_json::from_str(raw.get()).ok()?;
    booking.reading(asked)
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
    rescheduled_by_email: Loose<Text<'a>>,
    #[serde(alias = "cancelledBy")]
    cancelled_by_email: Loose<Text<'a>>,
    created_at: Loose<Text<'a>>,
    updated_at: Loose<Text<'a>>,
    cancellation_reason: Loose<Text<'a>>,
    title: Loose<Text<'a>>,
    event_type_id: Loose<i64>,
    event_type: Loose<EventType<'a>>,
    /// API v2.
    hosts: List<Person<'a>>,
    /// The host, in API v1.
    user: Loose<Person<'a>>,
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
    fn reading(&self, asked: Option<&SeatId>) -> Option<Reading> {
        let status = status(&self.status)?;
        let seats: Vec<SeatId> = self
            .attendees
            .entries()
            .filter_map(|attendee| attendee.seat_uid.seat())
            .collect();
        Some(Reading {
            uid: self.uid.uid()?,
            number: self.id.0,
            status,
            start: self.start.time()?,
            end: self.end.time()?,
            moved_to: self.rescheduled_to_uid.uid(),
            moved_from: self.rescheduled_from_uid.uid(),
            moved_by: self.party(&self.rescheduled_by_email),
            cancelled_by: self.party(&self.cancelled_by_email),
            // The last change of a row that is over is mostly its end, and never comes before it.
            ended_at: self.updated_at.time().filter(|_| status.is_over()),
            series: self.recurring_booking_uid.kept(),
            created_at: self.created_at.time(),
            cancellation_reason: self.cancellation_reason.kept(),
            details: self.details(!seats.is_empty(), asked).map(Box::new),
            seats: (!seats.is_empty()).then_some(seats),
        })
    }

    /// Who has this address: a host, the booker's side, or nobody who is named here.
    fn party(&self, address: &Loose<Text<'_>>) -> Option<Party> {
        let address = address.owner()?;
        let is = |email: Option<Owner>| email.as_ref() == Some(&address);
        let mut hosts = self.all_hosts();
        let mut attendees = self.attendees.entries();
        if hosts.any(|host| is(host.email.owner())) {
            Some(Party::Host)
        } else if attendees.any(|attendee| is(attendee.email.owner())) {
            Some(Party::Booker)
        } else {
            None
        }
    }

    fn all_hosts(&self) -> impl Iterator<Item = &Person<'a>> {
        self.hosts.entries().chain(self.user.0.as_ref())
    }

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
            hosts: self.all_hosts().map(Person::host).collect(),
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
