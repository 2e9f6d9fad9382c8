//! The objects on the wire: invitees and scheduled events as the API shows them and webhooks carry them,
//! and event types. Older webhooks have fewer keys.

use serde_json::{Value, json};

use super::delivery::Event;
use super::rows::{
    Cancellation, EventType, Invitee, Location, NoShow, ScheduledEvent, Status, Tracking,
};
use super::spelling::microseconds;
use super::state::{Shared, State};
use super::uris::Uris;

/// How old the webhooks look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// As documented today.
    Today,
    /// A cancellation does not say when.
    Of2023,
    /// Moreover, the scheduled event is only named, and nobody is said to have made the subscription.
    Of2020,
}

/// What an invitee did not have in 2020.
const YOUNGER_KEYS: [&str; 4] = [
    "invitee_scheduled_by",
    "reconfirmation",
    "routing_form_submission",
    "scheduling_method",
];

impl Shape {
    /// Whether the envelope has `created_by`.
    pub(super) fn names_creator(self) -> bool {
        self != Self::Of2020
    }
}

impl Shared {
    pub(super) fn uris(&self) -> Uris {
        Uris(self.options.uri_base.clone())
    }

    /// What a webhook tells of an invitee.
    pub(super) fn payload(&self, state: &State, event: Event, invitee: &Invitee) -> Value {
        let mut payload = self.invitee_view(state, invitee);
        if self.options.shape == Shape::Of2020 {
            for key in YOUNGER_KEYS {
                remove(&mut payload, key);
            }
        } else if let Ok(row) = state.event(&invitee.event) {
            let mut row = row.clone();
            // As observed: the invitee is canceled, and the event around them still stands.
            if event == Event::InviteeCanceled && self.options.event_status_lags {
                row.status = Status::Active;
                row.cancellation = None;
            }
            payload["scheduled_event"] = self.event_view(state, &row);
        }
        if self.options.shape != Shape::Today {
            for cancellation in ["/cancellation", "/scheduled_event/cancellation"] {
                if let Some(cancellation) = payload.pointer_mut(cancellation) {
                    remove(cancellation, "created_at");
                }
            }
        }
        payload
    }

    /// An invitee.
    pub(super) fn invitee_view(&self, state: &State, invitee: &Invitee) -> Value {
        let uris = self.uris();
        let other = |uuid| state.invitee(uuid).ok().map(|other| uris.invitee(other));
        let answers = invitee.answers.iter().enumerate();
        let answers = answers.map(|(position, (question, answer))| {
            json!({ "question": question, "answer": answer, "position": position })
        });
        let link = |what| format!("https://calendly.com/{what}/{}", invitee.uuid);
        let mut view = json!({
            "uri": uris.invitee(invitee),
            "event": uris.event(&invitee.event),
            "email": invitee.person.email,
            "name": invitee.person.name,
            "first_name": null,
            "last_name": null,
            "timezone": invitee.person.time_zone,
            "status": invitee.status.as_str(),
            "rescheduled": invitee.rescheduled,
            "old_invitee": invitee.old_invitee.as_ref().and_then(other),
            "new_invitee": invitee.new_invitee.as_ref().and_then(other),
            "questions_and_answers": answers.collect::<Vec<_>>(),
            "tracking": tracking_view(&invitee.tracking),
            "no_show": invitee.no_show.as_ref().map(|no_show| no_show_view(&uris, no_show)),
            "cancel_url": link("cancellations"),
            "reschedule_url": link("reschedulings"),
            "created_at": microseconds(invitee.created_at),
            "updated_at": microseconds(invitee.updated_at),
            "text_reminder_number": null,
            "payment": null,
            "reconfirmation": null,
            "routing_form_submission": null,
            "scheduling_method": null,
            "invitee_scheduled_by": null,
        });
        if let Some(cancellation) = &invitee.cancellation {
            view["cancellation"] = cancellation_view(cancellation);
        }
        view
    }

    /// A scheduled event.
    pub(super) fn event_view(&self, state: &State, event: &ScheduledEvent) -> Value {
        let uris = self.uris();
        let event_type = self.event_type(&event.event_type);
        let host = &self.options.host;
        let guests = event.guests.iter().map(|(email, since)| {
            let since = microseconds(*since);
            json!({ "email": email, "created_at": since, "updated_at": since })
        });
        let mut view = json!({
            "uri": uris.event(&event.uuid),
            "name": event_type.map(|event_type| &event_type.name),
            "status": event.status.as_str(),
            "start_time": microseconds(event.start),
            "end_time": microseconds(event.end),
            "event_type": uris.of("event_types", &event.event_type),
            "location": event_type.map(|event_type| location_view(&event_type.location)),
            "invitees_counter": {
                "total": state.invitees_of(&event.uuid).count(),
                "active": state.active_invitees_of(&event.uuid).len(),
                "limit": event_type.map(|event_type| event_type.invitees_max),
            },
            "event_memberships": [{
                "user": uris.of("users", &state.user),
                "user_email": host.email,
                "user_name": host.name,
            }],
            "event_guests": guests.collect::<Vec<_>>(),
            "meeting_notes_plain": null,
            "meeting_notes_html": null,
            "created_at": microseconds(event.created_at),
            "updated_at": microseconds(event.updated_at),
        });
        if let Some(cancellation) = &event.cancellation {
            view["cancellation"] = cancellation_view(cancellation);
        }
        view
    }

    /// An event type.
    pub(super) fn event_type_view(&self, state: &State, event_type: &EventType) -> Value {
        let uris = self.uris();
        let questions = event_type.questions.iter().enumerate();
        let questions = questions.map(|(position, question)| {
            json!({
                "name": question,
                "type": "text",
                "position": position,
                "enabled": true,
                "required": false,
                "answer_choices": [],
                "include_other": false,
            })
        });
        json!({
            "uri": uris.of("event_types", &event_type.uuid),
            "name": event_type.name,
            "slug": event_type.slug,
            "active": true,
            "scheduling_url": format!("{}/{}", self.scheduling_url(), event_type.slug),
            "duration": event_type.duration_min,
            "kind": if event_type.invitees_max > 1 { "group" } else { "solo" },
            "type": "StandardEventType",
            "pooling_type": null,
            "booking_method": "instant",
            "profile": {
                "type": "User",
                "name": self.options.host.name,
                "owner": uris.of("users", &state.user),
            },
            "custom_questions": questions.collect::<Vec<_>>(),
            "description_plain": null,
            "secret": false,
            "deleted_at": null,
        })
    }

    /// Whom the tokens belong to.
    pub(super) fn user_view(&self, state: &State) -> Value {
        let uris = self.uris();
        let host = &self.options.host;
        json!({
            "uri": uris.of("users", &state.user),
            "current_organization": uris.of("organizations", &state.organization),
            "name": host.name,
            "email": host.email,
            "slug": self.slug(),
            "scheduling_url": self.scheduling_url(),
            "timezone": host.time_zone,
            "avatar_url": null,
            "resource_type": "User",
        })
    }

    fn slug(&self) -> &str {
        self.options
            .host
            .email
            .split('@')
            .next()
            .unwrap_or_default()
    }

    fn scheduling_url(&self) -> String {
        format!("https://calendly.com/{}", self.slug())
    }
}

/// How something was called off.
pub(super) fn cancellation_view(cancellation: &Cancellation) -> Value {
    json!({
        "canceled_by": cancellation.canceled_by,
        "reason": cancellation.reason,
        "canceler_type": cancellation.canceler.as_str(),
        "created_at": microseconds(cancellation.created_at),
    })
}

/// That somebody did not come.
pub(super) fn no_show_view(uris: &Uris, no_show: &NoShow) -> Value {
    json!({
        "uri": uris.of("invitee_no_shows", &no_show.uuid),
        "created_at": microseconds(no_show.created_at),
    })
}

fn tracking_view(tracking: &Tracking) -> Value {
    json!({
        "utm_campaign": tracking.campaign,
        "utm_source": tracking.source,
        "utm_medium": tracking.medium,
        "utm_content": tracking.content,
        "utm_term": tracking.term,
        "salesforce_uuid": tracking.salesforce_uuid,
    })
}

fn location_view(location: &Location) -> Value {
    match location {
        Location::Physical(place) => {
            json!({ "type": "physical", "location": place, "additional_info": null })
        }
        Location::Custom(text) => json!({ "type": "custom", "location": text }),
        Location::Conference(url) => json!({
            "type": "google_conference",
            "location": null,
            "join_url": url,
            "status": "pushed",
        }),
    }
}

fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}
