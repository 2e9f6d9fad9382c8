//! From Calendly's shapes to [`Details`]: webhooks and the API end here, so that a booking reads the
//! same wherever it was learnt from.

use std::collections::BTreeMap;

use super::payload::{Cancellation, Invitee, ScheduledEvent};
use super::uris;
use crate::domain::booking::{Answer, Booker, Details, Host, Party};
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;
use crate::provider::lenient::{Loose, Text};

/// Guests kept of one booking; more are left out.
const GUESTS_MAX: usize = 100;
/// Hosts kept of one booking.
const HOSTS_MAX: usize = 20;
/// Answers kept of one booking.
const ANSWERS_MAX: usize = 200;

/// What a booking is about; `slug` is its event type's, which only the API knows. `None` without
/// times, as in the webhooks of 2020.
pub(super) fn details(
    invitee: &Invitee<'_>,
    event: &ScheduledEvent<'_>,
    slug: Option<String>,
) -> Option<Details> {
    let location = event.location.0.as_ref();
    Some(Details {
        start: event.start_time.time()?,
        end: event.end_time.time()?,
        title: event.name.kept().unwrap_or_default(),
        event_type_id: None,
        event_type_slug: slug,
        event_type_aliases: aliases(event),
        booker: booker(invitee),
        hosts: hosts(event),
        guests: guests(invitee, event),
        answers: answers(invitee),
        metadata: invitee
            .tracking
            .0
            .iter()
            .flat_map(|tracking| tracking.entries())
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        location: location.and_then(|place| {
            let told = place.location.kept().or_else(|| place.join_url.kept());
            told.or_else(|| place.kind.kept())
        }),
        notes: None,
        seated: is_shared(event),
        recurring: false,
    })
}

/// Whether others may book the same appointment.
fn is_shared(event: &ScheduledEvent<'_>) -> bool {
    let limit = event.invitees_counter.0.as_ref();
    limit.and_then(|counter| counter.limit.0).unwrap_or(1) > 1
}

/// The event type's URI as it stands and as the API writes it today, its id, and its name: that of the
/// appointment, unless the host has changed it.
fn aliases(event: &ScheduledEvent<'_>) -> Vec<String> {
    let uri = event.event_type.text();
    let id = uri.and_then(|uri| uris::id(uri, "event_types"));
    let today = id.map(|id| format!("https://api.calendly.com/event_types/{id}"));
    let all = [
        uri.map(str::to_owned),
        today,
        id.map(str::to_owned),
        event.name.kept(),
    ];
    let mut aliases: Vec<String> = all.into_iter().flatten().collect();
    aliases.dedup();
    aliases
}

fn booker(invitee: &Invitee<'_>) -> Booker {
    let whole = || {
        let parts = [invitee.first_name.kept(), invitee.last_name.kept()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    Booker {
        email: owner(&invitee.email),
        name: invitee.name.kept().unwrap_or_else(whole),
        time_zone: invitee.timezone.kept(),
        locale: None,
        phone: invitee
            .text_reminder_number
            .text()
            .and_then(|text| Phone::parse(text).ok()),
    }
}

/// Whose calendar it is. Calendly has no user names; a user's id is the last part of their URI.
fn hosts(event: &ScheduledEvent<'_>) -> Vec<Host> {
    let members = event.event_memberships.entries().map(|member| Host {
        email: owner(&member.user_email),
        username: None,
        id: member
            .user
            .text()
            .and_then(|uri| uris::id(uri, "users"))
            .map(str::to_owned),
    });
    members.filter(Host::is_named).take(HOSTS_MAX).collect()
}

fn owner(text: &Loose<Text<'_>>) -> Option<Owner> {
    Owner::parse(text.text()?).ok()
}

/// Everyone else with an address, once each, in the order they are named.
fn guests(invitee: &Invitee<'_>, event: &ScheduledEvent<'_>) -> Vec<Owner> {
    let booker = owner(&invitee.email);
    let mut guests: Vec<Owner> = Vec::new();
    let named = event.event_guests.entries();
    for guest in named.filter_map(|guest| owner(&guest.email)) {
        if guests.len() < GUESTS_MAX && booker.as_ref() != Some(&guest) && !guests.contains(&guest)
        {
            guests.push(guest);
        }
    }
    guests
}

/// Answers by question. Several choices come as lines of one text; they stay one, since a long answer
/// has lines, too.
fn answers(invitee: &Invitee<'_>) -> BTreeMap<String, Answer> {
    let asked = invitee.questions_and_answers.entries();
    asked
        .filter_map(|one| Some((one.question.kept()?, Answer::Text(one.answer.kept()?))))
        .take(ANSWERS_MAX)
        .collect()
}

/// Who called it off, or moved it.
pub(super) fn canceller(cancellation: Option<&Cancellation<'_>>) -> Option<Party> {
    match cancellation?.canceler_type.text()? {
        "host" => Some(Party::Host),
        "invitee" => Some(Party::Booker),
        _ => None,
    }
}
