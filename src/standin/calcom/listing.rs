//! The list of bookings in v2: which are meant by each status word, in what order, and page by page.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::rows::Booking;
use super::state::Shared;
use super::view_v2::view;
use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;

/// Items on a page that does not say.
const TAKE_DEFAULT: usize = 100;
/// Most items on a page.
const TAKE_MAX: usize = 250;

/// The status words of the list; they are not the states of bookings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Upcoming,
    Recurring,
    Past,
    Cancelled,
    Unconfirmed,
}

impl Word {
    fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "upcoming" => Ok(Self::Upcoming),
            "recurring" => Ok(Self::Recurring),
            "past" => Ok(Self::Past),
            "cancelled" => Ok(Self::Cancelled),
            "unconfirmed" => Ok(Self::Unconfirmed),
            _ => Err(Refusal::bad_request(format!(
                "status `{text}`: use upcoming, recurring, past, cancelled or unconfirmed"
            ))),
        }
    }

    /// `upcoming` has pending ones too, unless they recur; `cancelled` has rejected ones too.
    fn covers(self, booking: &Booking, now: Timestamp) -> bool {
        let ahead = booking.end >= now;
        let over = booking.status.is_over();
        match self {
            Self::Upcoming => {
                let standing = booking.status == Status::Accepted;
                ahead && !over && (booking.series.is_none() || standing)
            }
            Self::Recurring => ahead && !over && booking.series.is_some(),
            Self::Past => !ahead && !over,
            Self::Cancelled => over,
            Self::Unconfirmed => ahead && booking.status == Status::Pending,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SortKey {
    Start,
    Created,
    Updated,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Listing {
    words: Vec<Word>,
    take: usize,
    skip: usize,
    updated_from: Option<Timestamp>,
    updated_until: Option<Timestamp>,
    event_type_id: Option<i64>,
    attendee_email: Option<String>,
    sort: Option<(SortKey, bool)>,
}

impl Listing {
    /// Reads the query. Like Cal.com, it refuses what it does not know.
    pub(super) fn parse(parameters: &[(String, String)]) -> Result<Self, Refusal> {
        let mut listing = Self {
            words: Vec::new(),
            take: TAKE_DEFAULT,
            skip: 0,
            updated_from: None,
            updated_until: None,
            event_type_id: None,
            attendee_email: None,
            sort: None,
        };
        for (key, value) in parameters {
            listing.take_up(key, value)?;
        }
        Ok(listing)
    }

    fn take_up(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        let wrong = || Refusal::bad_request(format!("{key} has a wrong value or should not exist"));
        match key {
            "status" => {
                for word in value.split(',') {
                    self.words.push(Word::parse(word)?);
                }
            }
            "take" => {
                let take = value.parse().map_err(|_| wrong())?;
                self.take = Some(take)
                    .filter(|n| (1..=TAKE_MAX).contains(n))
                    .ok_or_else(wrong)?;
            }
            "skip" => self.skip = value.parse().map_err(|_| wrong())?,
            "afterUpdatedAt" => self.updated_from = Some(value.parse().map_err(|_| wrong())?),
            "beforeUpdatedAt" => self.updated_until = Some(value.parse().map_err(|_| wrong())?),
            "eventTypeId" => self.event_type_id = Some(value.parse().map_err(|_| wrong())?),
            "attendeeEmail" => self.attendee_email = Some(value.to_owned()),
            "sortStart" => self.sort = Some((SortKey::Start, descending(value).ok_or_else(wrong)?)),
            "sortCreated" => {
                self.sort = Some((SortKey::Created, descending(value).ok_or_else(wrong)?));
            }
            "sortUpdatedAt" => {
                self.sort = Some((SortKey::Updated, descending(value).ok_or_else(wrong)?));
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Whether a booking is on the list, its time of change apart.
    fn counts(&self, booking: &Booking, now: Timestamp) -> bool {
        let attends = |email: &String| {
            let attendees = booking.attendees(None);
            attendees.iter().any(|person| person.email == *email)
        };
        (self.words.is_empty() || self.words.iter().any(|word| word.covers(booking, now)))
            && self
                .event_type_id
                .is_none_or(|id| booking.event_type_id == id)
            && self.attendee_email.as_ref().is_none_or(attends)
    }

    fn changed_then(&self, booking: &Booking) -> bool {
        let at = booking.updated_at;
        self.updated_from.is_none_or(|time| at >= time)
            && self.updated_until.is_none_or(|time| at <= time)
    }
}

/// The page that is asked for, with its envelope. **The totals are counted without regard to the time of
/// change**, so that there may be said to be a next page where there is none.
pub(super) fn page(shared: &Shared, listing: &Listing) -> Value {
    let now = shared.clock.now();
    let state = shared.state();
    let mut found: Vec<&Booking> = state
        .bookings
        .iter()
        .filter(|booking| listing.counts(booking, now))
        .collect();
    let total = found.len();
    found.retain(|booking| listing.changed_then(booking));
    if let Some((key, descending)) = listing.sort {
        found.sort_by_key(|booking| match key {
            SortKey::Start => booking.start,
            SortKey::Created => booking.created_at,
            SortKey::Updated => booking.updated_at,
        });
        if descending {
            found.reverse();
        }
    }
    let shown: Vec<_> = found
        .into_iter()
        .skip(listing.skip)
        .take(listing.take)
        .map(|booking| view(shared, &state, booking))
        .collect();
    let remaining = total.saturating_sub(listing.skip + shown.len());
    json!({
        "status": "success",
        "pagination": {
            "totalItems": total,
            "remainingItems": remaining,
            "returnedItems": shown.len(),
            "itemsPerPage": listing.take,
            "currentPage": listing.skip / listing.take + 1,
            "totalPages": total.div_ceil(listing.take),
            "hasNextPage": remaining > 0,
            "hasPreviousPage": listing.skip > 0,
        },
        "data": shown,
    })
}

fn descending(value: &str) -> Option<bool> {
    match value {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}
