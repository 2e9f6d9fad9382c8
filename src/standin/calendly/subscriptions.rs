//! Webhook subscriptions: who wants to hear of what, and the rules by which they are made.

use super::delivery::Event;
use super::limits::{Caller, Permission};
use super::refusal::Refusal;
use super::state::{Shared, State};
use super::{Plan, StandIn};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;
use crate::standin::sender::parse_url;

/// Whose events a subscription hears. The stand-in has one user in one group of one organization: all
/// three hear the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's in the organization.
    Organization,
    /// One user's.
    User,
    /// One group's.
    Group,
}

impl Scope {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// From the word on the wire.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut all = [Self::Organization, Self::User, Self::Group].into_iter();
        all.find(|scope| scope.as_str() == text)
    }
}

/// Events, the scopes that may hear of them, and whether a paid plan is needed.
const EVENTS: &[(&str, &[Scope], bool)] = {
    const ALL: &[Scope] = &[Scope::Organization, Scope::User, Scope::Group];
    &[
        ("invitee.created", ALL, false),
        ("invitee.canceled", ALL, false),
        ("invitee_no_show.created", ALL, false),
        ("invitee_no_show.deleted", ALL, false),
        ("event_type.created", ALL, false),
        ("event_type.updated", ALL, false),
        ("event_type.deleted", ALL, false),
        (
            "routing_form_submission.created",
            &[Scope::Organization],
            true,
        ),
        ("meeting_recap.created", &[Scope::User], true),
        ("meeting_recap.updated", &[Scope::User], true),
        ("meeting_recap.deleted", &[Scope::User], true),
        ("contact.created", ALL, true),
        ("contact.updated", ALL, true),
        ("contact.deleted", ALL, true),
    ]
};

/// What is asked for when subscribing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscription {
    /// Where to send; the stand-in sends to `http://` only.
    pub url: String,
    /// Names of events.
    pub events: Vec<String>,
    /// Whose.
    pub scope: Scope,
    /// Key of the signatures. Without one there are none.
    pub signing_key: Option<String>,
}

impl NewSubscription {
    /// Everything that happens to invitees in the organization, signed.
    pub fn to_invitees(url: impl Into<String>, signing_key: impl Into<String>) -> Self {
        let events = [
            Event::InviteeCreated,
            Event::InviteeCanceled,
            Event::NoShowCreated,
            Event::NoShowDeleted,
        ];
        Self {
            url: url.into(),
            events: events.map(|event| event.as_str().to_owned()).to_vec(),
            scope: Scope::Organization,
            signing_key: Some(signing_key.into()),
        }
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id, a UUID.
    pub uuid: Uid,
    /// Where to send.
    pub url: String,
    /// Names of events.
    pub events: Vec<String>,
    /// Whose.
    pub scope: Scope,
    /// Key of the signatures. The API never shows it.
    pub signing_key: Option<String>,
    /// `false` once it is disabled, which is for good.
    pub active: bool,
    /// Since when it fails.
    pub retry_started_at: Option<Timestamp>,
    /// The user who made it.
    pub creator: Uid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Subscription {
    /// Whether it is to hear of an event.
    pub(super) fn wants(&self, event: Event) -> bool {
        self.active && self.events.iter().any(|name| name == event.as_str())
    }
}

impl StandIn {
    /// Subscribes, as the API does for a token that allows everything.
    ///
    /// # Errors
    /// What the API answers: a wrong event or address, an address that is subscribed, or the plan.
    pub fn subscribe(&self, new: NewSubscription) -> Result<Subscription, Refusal> {
        self.shared.subscribe(new)
    }

    /// The subscriptions in the order in which they were made, disabled ones included.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.shared.state().subscriptions.clone()
    }
}

impl Shared {
    /// Makes a subscription.
    pub(super) fn subscribe(&self, new: NewSubscription) -> Result<Subscription, Refusal> {
        if parse_url(&new.url).is_err() {
            return Err(Refusal::invalid("url", "is invalid"));
        }
        self.check_events(&new)?;
        let mut state = self.state();
        let same = |one: &Subscription| {
            one.url == new.url && (!self.options.hooks_differ_by_scope || one.scope == new.scope)
        };
        if state.subscriptions.iter().any(same) {
            return Err(Refusal::hook_exists());
        }
        let now = state.change_time(self.clock.now());
        let subscription = Subscription {
            uuid: state.new_uuid(),
            url: new.url,
            events: new.events,
            scope: new.scope,
            signing_key: new.signing_key,
            active: true,
            retry_started_at: None,
            creator: state.user.clone(),
            created_at: now,
            updated_at: now,
        };
        state.subscriptions.push(subscription.clone());
        Ok(subscription)
    }

    fn check_events(&self, new: &NewSubscription) -> Result<(), Refusal> {
        if new.events.is_empty() {
            return Err(Refusal::invalid("events", "must not be empty"));
        }
        for name in &new.events {
            let known = EVENTS.iter().find(|(event, ..)| event == name);
            let Some((_, scopes, paid)) = known else {
                return Err(Refusal::invalid(
                    "events",
                    format!("{name} is not an event"),
                ));
            };
            if !scopes.contains(&new.scope) {
                let scope = new.scope.as_str();
                let wrong = format!("{name} cannot be heard in the scope {scope}");
                return Err(Refusal::invalid("scope", wrong));
            }
            match self.options.plan {
                Plan::FreeWithoutWebhooks => {
                    let message = "Please upgrade your Calendly account to Standard";
                    return Err(Refusal::denied(message));
                }
                Plan::Free if *paid => {
                    let message = "Please upgrade to a paid Calendly account.";
                    return Err(Refusal::denied(message));
                }
                Plan::Free | Plan::Paid => {}
            }
        }
        Ok(())
    }
}

impl State {
    /// A subscription by id.
    pub(super) fn subscription(&self, uuid: &Uid) -> Result<&Subscription, Refusal> {
        let found = self.subscriptions.iter().find(|one| one.uuid == *uuid);
        found.ok_or_else(Refusal::not_found)
    }
}

/// What a token needs to subscribe: to write webhooks, and to read what they tell of.
pub(super) fn require_permissions(caller: &Caller, events: &[String]) -> Result<(), Refusal> {
    caller.require(Permission::WriteWebhooks)?;
    for event in events {
        match event.split('.').next() {
            Some("invitee" | "invitee_no_show") => {
                caller.require(Permission::ReadScheduledEvents)?;
            }
            Some("event_type") => caller.require(Permission::ReadEventTypes)?,
            _ => {}
        }
    }
    Ok(())
}
