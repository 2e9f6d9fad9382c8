//! Reading bookings and calling them off. Calendly has no approval: a booking stands from the moment
//! it is made, and a refusal cancels its whole scheduled event (contract §2).

use serde_json::json;
use tokio::time::Instant;

use super::Calendly;
use super::client::{parsed, unreadable};
use super::details::{canceller, details};
use super::event_types::id_of;
use super::payload::{Invitee, Resource, ScheduledEvent};
use super::uris;
use crate::domain::booking::{Reading, Status};
use crate::domain::decision::Action;
use crate::domain::ids::Uid;
use crate::provider::api::not_sent;
use crate::provider::lenient::{Loose, Text};
use crate::provider::{Answer, Call, CallError};

/// The longest reason sent, in characters.
const REASON_CHARS_MAX: usize = 10_000;

impl Calendly {
    /// Reads one invitee and its event.
    pub(super) async fn read_booking(&self, uid: &Uid) -> Result<Reading, CallError> {
        let (event, invitee) = parts(uid)?;
        let deadline = self.client.deadline();
        let path = ["scheduled_events", event, "invitees", invitee];
        let invitee = self.client.get(&path, &[], deadline).await?;
        let path = ["scheduled_events", event];
        let event = self.client.get(&path, &[], deadline).await?;
        let scheduled: Resource<ScheduledEvent<'_>> = parsed(&event, "a scheduled event")?;
        let slug = self.slug(&scheduled.resource, deadline).await?;
        let told: Resource<Invitee<'_>> = parsed(&invitee, "an invitee")?;
        reading(&told.resource, &scheduled.resource, slug)
            .ok_or_else(|| unreadable(&invitee, "an invitee with URI and status, and its times"))
    }

    /// The slug of an event's type, asked for if it is not known yet.
    pub(super) async fn slug(
        &self,
        event: &ScheduledEvent<'_>,
        deadline: Instant,
    ) -> Result<Option<String>, CallError> {
        let Some(id) = id_of(event) else {
            return Ok(None);
        };
        if let Some(known) = self.types.known(id) {
            return Ok(known);
        }
        let slug = match self.client.get(&["event_types", id], &[], deadline).await {
            Ok(answer) => {
                let event_type: Resource<EventType<'_>> = parsed(&answer, "an event type")?;
                event_type.resource.slug.kept()
            }
            // It was deleted, or the token may not see it: then no policy can name it by its slug.
            Err(CallError::NotFound { .. } | CallError::Rejected { .. }) => None,
            Err(error) => return Err(error),
        };
        self.types.learn(id, slug.clone());
        Ok(slug)
    }

    /// Calls a booking off.
    pub(super) async fn call_off(&self, call: &Call) -> Result<Answer, CallError> {
        if call.action != Action::Cancel {
            return Err(not_sent("Calendly knows neither confirm nor decline"));
        }
        let (event, _) = parts(&call.target.uid)?;
        let body = match &call.reason {
            Some(reason) => {
                let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
                json!({ "reason": reason })
            }
            None => json!({}),
        };
        let path = ["scheduled_events", event, "cancellation"];
        let answer = self.client.post(&path, &body, self.client.deadline());
        Ok(Answer {
            // It shows the cancellation, which is what was asked for, and nothing of the invitee.
            reading: None,
            http_status: answer.await?.status,
        })
    }
}

/// An event type, as far as it matters.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct EventType<'a> {
    #[serde(borrow)]
    slug: Loose<Text<'a>>,
}

fn parts(uid: &Uid) -> Result<(&str, &str), CallError> {
    let parts = uris::parts(uid);
    parts.ok_or_else(|| not_sent("the booking's id is not that of an event and an invitee"))
}

/// What an invitee and its event say; `None` if they lack a URI, a known status or times.
pub(super) fn reading(
    invitee: &Invitee<'_>,
    event: &ScheduledEvent<'_>,
    slug: Option<String>,
) -> Option<Reading> {
    let cancelled = match invitee.status.text()? {
        "active" => event.status.text() == Some("canceled"),
        "canceled" => true,
        _ => return None,
    };
    let moved = cancelled && invitee.rescheduled.0 == Some(true);
    let cancellation = invitee.cancellation.0.as_ref();
    let cancellation = cancellation.filter(|_| cancelled);
    let link = |uri: Option<&str>| uri.and_then(uris::booking);
    Some(Reading {
        uid: link(invitee.uri.text())?,
        number: None,
        status: if cancelled {
            Status::Cancelled
        } else {
            Status::Accepted
        },
        start: event.start_time.time()?,
        end: event.end_time.time()?,
        moved_to: link(invitee.new_invitee.text()).filter(|_| moved),
        moved_from: link(invitee.old_invitee.text()),
        moved_by: canceller(cancellation).filter(|_| moved),
        cancelled_by: canceller(cancellation).filter(|_| !moved),
        ended_at: cancellation.and_then(|cancellation| cancellation.created_at.time()),
        series: None,
        created_at: invitee.created_at.time(),
        seats: None,
        cancellation_reason: cancellation.and_then(|cancellation| cancellation.reason.kept()),
        details: details(invitee, event, slug).map(Box::new),
    })
}
