//! Going through the bookings of API v2: all that wait for an answer, then all that have changed.
//!
//! The list is no cursor over something that stands still: what we answer meanwhile leaves it, and
//! counting rows to skip would pass over as many others. So each page begins at the time of change that
//! the page before has ended with. How many there are at all is not believed: servers count without
//! regard to the time of change.

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Calcom;
use super::api::entries;
use super::payload::{Loose, Text};
use super::reading::{Me, listed};
use super::v2::signed_in;
use crate::domain::booking::Reading;
use crate::domain::clock::Timestamp;
use crate::provider::CallError;
use crate::provider::client::{Effect, HttpAnswer};
use crate::provider::survey::{Since, Survey, SurveyPage, Surveyed};

/// Entries of a page: what the API allows at the most.
const PAGE: usize = 250;
/// The version that lists by time of change, whatever version other calls have: the one after it
/// cannot.
const LIST_VERSION: &str = "2024-08-13";

#[async_trait]
impl Survey for Calcom {
    async fn page(&self, since: Since, cursor: Option<&str>) -> Result<SurveyPage, CallError> {
        let me = self.me.get_or_try_init(|| self.ask_who_i_am()).await?;
        let place = match cursor {
            Some(cursor) => Place::parse(cursor).ok_or_else(not_a_cursor)?,
            None => Place::begin(List::Unconfirmed, None),
        };
        let answer = self.list(&place).await?;
        let raw = entries(&answer).ok_or_else(|| unreadable(&answer, "a list of bookings"))?;
        let all: Vec<_> = raw.iter().filter_map(|raw| listed(raw, me)).collect();
        let last = raw.last().and_then(|raw| updated_at(raw));
        let next = if raw.len() >= PAGE {
            Some(place.behind(last, raw.len()))
        } else {
            (place.list == List::Unconfirmed)
                .then(|| Place::begin(List::Changed, Some(since.changed)))
        };
        let surveyed = all.into_iter().map(|one| match one.at_home {
            true => Surveyed::Booking(Box::new(one.reading)),
            false => Surveyed::Elsewhere(Box::new(one.reading)),
        });
        Ok(SurveyPage {
            found: surveyed.collect(),
            next: next.map(|place| place.to_string()),
        })
    }

    /// A list leaves nothing to ask for.
    async fn open(&self, _reference: &str) -> Result<Vec<Reading>, CallError> {
        Ok(Vec::new())
    }
}

impl Calcom {
    pub(super) async fn ask_who_i_am(&self) -> Result<Me, CallError> {
        let api = &self.api;
        let version = &api.settings.version_header;
        let request = signed_in(api, Method::GET, api.url(&["me"]), version)?;
        let answer = api.send(request, Effect::Read, api.deadline()).await?;
        let me = serde_json::from_slice::<Answered<'_>>(&answer.body).ok();
        me.and_then(|me| {
            Some(Me {
                id: me.data.id.0?,
                email: me.data.email.owner(),
            })
        })
        .ok_or_else(|| unreadable(&answer, "a user with an id"))
    }

    async fn list(&self, place: &Place) -> Result<HttpAnswer, CallError> {
        let api = &self.api;
        let mut url = api.bookings_url(&[]);
        {
            let mut query = url.query_pairs_mut();
            if place.list == List::Unconfirmed {
                query.append_pair("status", UNCONFIRMED);
            }
            query.append_pair("sortUpdatedAt", "asc");
            if let Some(from) = place.from {
                query.append_pair("afterUpdatedAt", &from.to_string());
            }
            query.append_pair("take", &PAGE.to_string());
            query.append_pair("skip", &place.skip.to_string());
        }
        let request = signed_in(api, Method::GET, url, LIST_VERSION)?;
        api.send(request, Effect::Read, api.deadline()).await
    }
}

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    data: User<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User<'a> {
    id: Loose<i64>,
    #[serde(borrow)]
    email: Loose<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Changed<'a> {
    #[serde(borrow)]
    updated_at: Loose<Text<'a>>,
}

fn updated_at(raw: &RawValue) -> Option<Timestamp> {
    let changed = serde_json::from_str::<Changed<'_>>(raw.get()).ok()?;
    changed.updated_at.time()
}

fn unreadable(answer: &HttpAnswer, what: &str) -> CallError {
    CallError::Transient {
        http_status: Some(answer.status),
        detail: format!("HTTP {} whose JSON is not {what}", answer.status),
    }
}

fn not_a_cursor() -> CallError {
    CallError::Transient {
        http_status: None,
        detail: "the place in the list cannot be read".to_owned(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// What is pending and not past.
    Unconfirmed,
    /// Whatever has changed.
    Changed,
}

const UNCONFIRMED: &str = "unconfirmed";
const CHANGED: &str = "changed";

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    list: List,
    /// The earliest time of change; `None` for any.
    from: Option<Timestamp>,
    /// Entries to leave out before it.
    skip: usize,
}

impl Place {
    fn begin(list: List, from: Option<Timestamp>) -> Self {
        Self {
            list,
            from,
            skip: 0,
        }
    }

    /// The place after a full page that ended with this time of change. Those of the same time come
    /// again, because they may be in any order; if they fill a page, they are counted.
    fn behind(self, last: Option<Timestamp>, entries: usize) -> Self {
        if last.is_some() && last != self.from {
            return Self::begin(self.list, last);
        }
        Self {
            skip: self.skip + entries,
            ..self
        }
    }

    fn parse(cursor: &str) -> Option<Self> {
        let mut words = cursor.split(' ');
        let list = match words.next()? {
            UNCONFIRMED => List::Unconfirmed,
            CHANGED => List::Changed,
            _ => return None,
        };
        let skip = words.next()?.parse().ok()?;
        let from = words.next().map(str::parse).transpose().ok()?;
        Some(Self { list, from, skip })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = match self.list {
            List::Unconfirmed => UNCONFIRMED,
            List::Changed => CHANGED,
        };
        write!(f, "{list} {}", self.skip)?;
        self.from.map_or(Ok(()), |from| write!(f, " {from}"))
    }
}
