//! Going through all scheduled events (contract §2), those of the whole organization where the token
//! may see them. An event names only how many invitees it has; they are listed one event at a time.

use async_trait::async_trait;

use super::Calendly;
use super::bookings::reading;
use super::client::parsed;
use super::payload::{Collection, Invitee, Resource, ScheduledEvent};
use super::uris;
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
use crate::provider::CallError;
use crate::provider::survey::{Appointment, Since, Survey, SurveyPage, Surveyed};

/// Entries of a page: what the API allows at the most.
const PAGE: &str = "100";
/// Pages of invitees of one event; more people share no appointment.
const INVITEE_PAGES_MAX: usize = 20;

/// Whose events a cursor goes through.
const ORGANIZATION: &str = "organization";
const USER: &str = "user";

#[async_trait]
impl Survey for Calendly {
    /// Events cannot be asked for by when they changed.
    async fn page(&self, since: Since, cursor: Option<&str>) -> Result<SurveyPage, CallError> {
        let from = since.ended;
        if let Some((whose, token)) = cursor.and_then(|cursor| cursor.split_once(' ')) {
            let whose = if whose == USER { USER } else { ORGANIZATION };
            return self.events(whose, from, Some(token)).await;
        }
        match self.events(ORGANIZATION, from, None).await {
            // For admins only.
            Err(CallError::Rejected {
                http_status: 403, ..
            }) => self.events(USER, from, None).await,
            other => other,
        }
    }

    async fn open(&self, reference: &str) -> Result<Vec<Reading>, CallError> {
        let deadline = self.client.deadline();
        let path = ["scheduled_events", reference];
        let event = self.client.get(&path, &[], deadline).await?;
        let event: Resource<ScheduledEvent<'_>> = parsed(&event, "a scheduled event")?;
        let slug = self.slug(&event.resource, deadline).await?;
        let (mut all, mut token) = (Vec::new(), None::<String>);
        for _ in 0..INVITEE_PAGES_MAX {
            let mut query = vec![("count", PAGE)];
            query.extend(token.as_deref().map(|token| ("page_token", token)));
            let path = ["scheduled_events", reference, "invitees"];
            let answer = self
                .client
                .get(&path, &query, self.client.deadline())
                .await?;
            let page: Collection<Invitee<'_>> = parsed(&answer, "a list of invitees")?;
            let invitees = page.collection.iter();
            all.extend(invitees.filter_map(|one| reading(one, &event.resource, slug.clone())));
            token = page.pagination.next_page_token;
            if token.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

impl Calendly {
    async fn events(
        &self,
        whose: &str,
        from: Timestamp,
        token: Option<&str>,
    ) -> Result<SurveyPage, CallError> {
        let me = self.myself().await?;
        let from = from.to_string();
        let owner = if whose == USER {
            &me.user
        } else {
            &me.organization
        };
        let mut query = vec![
            (whose, owner.as_str()),
            ("min_start_time", &from),
            ("sort", "start_time:asc"),
            ("count", PAGE),
        ];
        query.extend(token.map(|token| ("page_token", token)));
        let path = ["scheduled_events"];
        let answer = self
            .client
            .get(&path, &query, self.client.deadline())
            .await?;
        let page: Collection<ScheduledEvent<'_>> = parsed(&answer, "a list of scheduled events")?;
        let found = page.collection.iter().filter_map(appointment);
        Ok(SurveyPage {
            found: found.map(Surveyed::Appointment).collect(),
            next: page
                .pagination
                .next_page_token
                .map(|token| format!("{whose} {token}")),
        })
    }
}

fn appointment(event: &ScheduledEvent<'_>) -> Option<Appointment> {
    let id = uris::id(event.uri.text()?, "scheduled_events")?;
    let counter = event.invitees_counter.0.as_ref();
    let total = counter.and_then(|counter| counter.total.0).unwrap_or(0);
    let active = match event.status.text() {
        Some("canceled") => 0,
        _ => counter
            .and_then(|counter| counter.active.0)
            .unwrap_or(total),
    };
    Some(Appointment {
        reference: id.to_owned(),
        uid_prefix: uris::prefix(id),
        active,
        total,
    })
}
