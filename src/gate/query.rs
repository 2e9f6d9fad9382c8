//! What an admin can look at: questions to the store, answered as the plain values of `views`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::views::{
    AccountView, AttemptView, BookingLine, BookingView, CommandView, DeadLetterView, DecisionView,
    EntryView, FactView, HoldView, Page,
};
use super::{Desk, GateError};
use crate::domain::amount::Amount;
use crate::domain::chain::{Attempt, Command, Decision, Fact, FactBody, Hold};
use crate::domain::clock::{Timestamp, from_us};
use crate::domain::decision::Outcome;
use crate::domain::ids::{ChainId, SeatId, SourceName, Uid};
use crate::domain::owner::Owner;
use crate::domain::timeline::Standing;
use crate::storage::Tx;
use crate::storage::records::{
    AccountRows, BookingCursor, BookingFilter, BookingRow, DeadLetterRow, DecisionStory, EntryRow,
    ShadowVerdict, Violation,
};

/// Rows on a page, if the request does not say.
const PAGE_DEFAULT: u32 = 50;
/// Rows on a page at the most.
pub const PAGE_MAX: u32 = 200;
/// Deliveries shown of one booking.
const DELIVERIES_MAX: u32 = 200;
/// Movements of credit shown of one booking.
const ENTRIES_MAX: u32 = 500;

/// Which bookings to list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingsAsked {
    /// Of this source.
    pub source: Option<String>,
    /// In this state.
    pub status: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Of this booker.
    pub booker: Option<String>,
    /// Changed at this time or later.
    pub since: Option<Timestamp>,
    /// Changed before this time.
    pub until: Option<Timestamp>,
    /// That start at this time or later.
    pub starts_since: Option<Timestamp>,
    /// That start before this time.
    pub starts_until: Option<Timestamp>,
    /// Where to begin, from the page before.
    pub after: Option<String>,
    /// How many.
    pub limit: Option<u32>,
}

impl Desk {
    /// An account with its balances.
    ///
    /// # Errors
    /// [`GateError::Owner`], or [`GateError::NotFound`] if there is no such account.
    pub async fn account(&self, owner: &str) -> Result<AccountView, GateError> {
        let owner = Owner::parse(owner)?;
        let desk = self.clone();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let account = desk.account_view(tx, &owner).await?;
                    account.ok_or_else(|| no_account(&owner))
                })
            })
            .await
    }

    /// Bookings, latest change first.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a cursor or a status that is none, or a booker that is no address.
    pub async fn bookings(&self, asked: BookingsAsked) -> Result<Page<BookingLine>, GateError> {
        let filter = BookingFilter {
            source: asked.source.map(SourceName::new),
            status: asked.status.map(known_status).transpose()?,
            outcome: asked.outcome,
            booker: asked.booker.as_deref().map(known_booker).transpose()?,
            since: asked.since,
            until: asked.until,
            starts_since: asked.starts_since,
            starts_until: asked.starts_until,
        };
        let after: Option<BookingCursor> =
            asked.after.as_deref().map(booking_cursor).transpose()?;
        let limit = page(asked.limit);
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.list_bookings(&filter, after.as_ref(), limit + 1).await?;
                    Ok(Page::of(rows, limit, booking_cursor_text, line))
                })
            })
            .await
    }

    /// Everything about one booking, found by uid or number.
    ///
    /// # Errors
    /// [`GateError::NotFound`].
    pub async fn booking(&self, source: &str, reference: &str) -> Result<BookingView, GateError> {
        let (source, reference) = (SourceName::new(source), reference.to_owned());
        let desk = self.clone();
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let Some(row) = tx.find_booking(&source, &reference).await? else {
                        return Err(no_booking(&source, &reference));
                    };
                    desk.booking_view(tx, row).await
                })
            })
            .await
    }

    /// Checks the ledger's invariants; empty if they hold.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn verify_ledger(&self) -> Result<Vec<Violation>, GateError> {
        self.storage
            .read(|tx| Box::pin(async move { Ok(tx.verify().await?) }))
            .await
    }
}

impl Desk {
    pub(super) async fn account_view(
        &self,
        tx: &mut Tx,
        owner: &Owner,
    ) -> Result<Option<AccountView>, GateError> {
        let account = tx.account_facts(owner).await?;
        Ok(account.map(|account| self.account_of(owner.clone(), &account)))
    }

    pub(super) fn account_of(&self, owner: Owner, account: &AccountRows) -> AccountView {
        let balances = account.balances.iter();
        AccountView {
            owner,
            status: account.status.as_str(),
            balances: balances.map(|balance| self.balance_view(balance)).collect(),
        }
    }

    fn text_of(&self, minor: i64, like: &Amount) -> String {
        self.amount_text(&Amount {
            minor,
            unit: like.unit.clone(),
        })
    }

    pub(super) async fn booking_view(
        &self,
        tx: &mut Tx,
        row: BookingRow,
    ) -> Result<BookingView, GateError> {
        let chain: ChainId = row.chain;
        let Some(record) = tx.load_chain(chain).await? else {
            return Err(GateError::NotFound(
                "the booking's chain is gone".to_owned(),
            ));
        };
        let mut decisions = Vec::with_capacity(record.decisions.len());
        for decision in &record.decisions {
            let told = story(tx, decision).await?;
            decisions.push(self.decision_view(decision, told)?);
        }
        let rows = tx.bookings_of_chain(chain).await?;
        let entries = tx.entries_of_chain(chain, ENTRIES_MAX).await?;
        Ok(BookingView {
            line: line(row),
            chain: rows.into_iter().map(line).collect(),
            decisions,
            calls: record.commands.iter().map(command).collect(),
            holds: record.holds.iter().map(|hold| self.hold(hold)).collect(),
            entries: entries.into_iter().map(|row| self.entry(row)).collect(),
            heard: record.facts.iter().map(fact).collect(),
            deliveries: tx.deliveries_of_chain(chain, DELIVERIES_MAX).await?,
        })
    }

    pub(super) fn decision_view(
        &self,
        decision: &Decision,
        (story, shadows): Told,
    ) -> Result<DecisionView, GateError> {
        let cost = decision.terms.cost.as_ref();
        Ok(DecisionView {
            id: decision.id.0,
            unit: decision.unit.to_string(),
            round: decision.round,
            outcome: decision.outcome,
            decided_by: decision.decider.to_string(),
            policy: story.policy_id,
            policy_hash: story.policy_hash,
            message: decision.message.clone(),
            note: story.note,
            cost: cost.map(|cost| self.amount_text(cost)),
            unit_of_cost: cost.map(|cost| cost.unit.to_string()),
            decided_at: decision.decided_at,
            engine: story.engine,
            trace: RawValue::from_string(story.trace)?,
            shadows: shadows
                .into_iter()
                .map(|shadow| self.shadow_view(shadow))
                .collect::<Result<_, _>>()?,
            facts: RawValue::from_string(story.facts)?,
        })
    }

    pub(super) fn entry(&self, row: EntryRow) -> EntryView {
        EntryView {
            txn: row.at.txn,
            layer: row.layer.as_str(),
            amount: self.amount_text(&row.amount),
            unit: row.amount.unit.to_string(),
            posted_after: self.text_of(row.posted_after, &row.amount),
            held_after: self.text_of(row.held_after, &row.amount),
            kind: row.kind,
            actor: row.actor,
            reason: row.reason,
            booking: row.booking.map(|unit| unit.to_string()),
            recorded_at: row.recorded_at,
        }
    }

    fn hold(&self, hold: &Hold) -> HoldView {
        let text = |minor| self.text_of(minor, &hold.amount);
        HoldView {
            unit: hold.unit.to_string(),
            owner: hold.owner.clone(),
            amount: text(hold.amount.minor),
            captured: text(hold.captured),
            released: text(hold.released),
            refunded: text(hold.refunded),
            state: hold.state,
        }
    }
}

/// How a decision came about, and what policies that are only watched would have decided.
pub(super) type Told = (DecisionStory, Vec<ShadowVerdict>);

/// Reads it.
pub(super) async fn story(tx: &mut Tx, decision: &Decision) -> Result<Told, GateError> {
    let story = tx.decision_story(decision.id).await?;
    let story =
        story.ok_or_else(|| GateError::NotFound(format!("decision {} is gone", decision.id)))?;
    Ok((story, tx.shadow_verdicts(decision.id).await?))
}

fn known_booker(text: &str) -> Result<Owner, GateError> {
    Owner::parse(text).map_err(|error| GateError::Invalid(format!("booker: {error}")))
}

/// A status that a booking can have; anything else would only ever give an empty list.
fn known_status(text: String) -> Result<String, GateError> {
    if Standing::from_word(&text).is_some() {
        Ok(text)
    } else {
        let known = Standing::ALL.map(Standing::as_str).join(", ");
        Err(GateError::Invalid(format!(
            "status: must be one of {known}"
        )))
    }
}

pub(super) fn no_booking(source: &SourceName, reference: &str) -> GateError {
    GateError::NotFound(format!(
        "no booking `{source}/{reference}`; it is found by uid or booking id once its webhook was worked"
    ))
}

pub(super) fn no_account(owner: &Owner) -> GateError {
    GateError::NotFound(format!("no account `{owner}`; a top-up would create it"))
}

pub(super) fn page(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
}

pub(super) fn not_a_cursor() -> GateError {
    GateError::Invalid(
        "after: not a cursor of this list; take `next` of the page before".to_owned(),
    )
}

pub(super) fn id_cursor(text: &str) -> Result<i64, GateError> {
    text.parse().map_err(|_| not_a_cursor())
}

fn booking_cursor_text(row: &BookingRow) -> String {
    let seat = row.seat.as_ref().map_or("", |seat| seat.as_str());
    let at = row.updated_at.as_microsecond();
    // Parted by the unit separator, which no id contains; in hex, because it stands in a URL.
    hex::encode(format!(
        "{at}\u{1f}{}\u{1f}{}\u{1f}{seat}",
        row.source, row.uid
    ))
}

fn booking_cursor(text: &str) -> Result<BookingCursor, GateError> {
    let bytes = hex::decode(text).map_err(|_| not_a_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| not_a_cursor())?;
    let parts: Vec<&str> = text.split('\u{1f}').collect();
    let [at, source, uid, seat] = parts[..] else {
        return Err(not_a_cursor());
    };
    let at: i64 = at.parse().map_err(|_| not_a_cursor())?;
    Ok(BookingCursor {
        updated_at: from_us(at),
        source: SourceName::new(source),
        uid: Uid::new(uid),
        seat: (!seat.is_empty()).then(|| SeatId::new(seat)),
    })
}

pub(super) fn line(row: BookingRow) -> BookingLine {
    BookingLine {
        source: row.source,
        uid: row.uid.to_string(),
        seat: row.seat.map(|seat| seat.to_string()),
        booking_id: row.number,
        status: row.status,
        outcome: row.outcome,
        settled: row.settled,
        booker: row.booker,
        event_type: row.event_type,
        start: row.start,
        end: row.end,
        updated_at: row.updated_at,
    }
}

fn fact(fact: &Fact) -> FactView {
    let view = FactView {
        at: fact.received_at,
        unit: String::new(),
        kind: "closed",
        event: None,
        taken_back: false,
        status: None,
        by: None,
        reason: None,
    };
    match &fact.body {
        FactBody::Event(event) => FactView {
            unit: event.unit().to_string(),
            kind: "event",
            event: Some(event.kind),
            taken_back: event.taken_back,
            status: event.status.map(|status| status.as_str()),
            by: event.cancelled_by.or(event.moved_by),
            reason: event.reason.clone(),
            ..view
        },
        FactBody::Reading(reading) => FactView {
            unit: reading.uid.to_string(),
            kind: "reading",
            status: Some(reading.status.as_str()),
            by: reading.cancelled_by.or(reading.moved_by),
            reason: reading.cancellation_reason.clone(),
            ..view
        },
        FactBody::Missing { uid } => FactView {
            unit: uid.to_string(),
            kind: "missing",
            ..view
        },
        FactBody::Closed(closed) => FactView {
            unit: closed.unit.to_string(),
            status: Some(closed.standing.as_str()),
            ..view
        },
    }
}

fn command(command: &Command) -> CommandView {
    CommandView {
        id: command.id,
        unit: command.unit.to_string(),
        action: command.action,
        purpose: command.purpose,
        state: command.state,
        reason: command.reason.clone(),
        note: command.note.clone(),
        due_at: command.due_at,
        attempts: command.attempts.iter().map(attempt).collect(),
    }
}

fn attempt(attempt: &Attempt) -> AttemptView {
    AttemptView {
        number: attempt.number,
        started_at: attempt.started_at,
        answered_at: attempt.answered_at,
        result: attempt.result,
        http_status: attempt.http_status,
        detail: attempt.detail.clone(),
    }
}

pub(super) fn dead_letter(row: DeadLetterRow) -> DeadLetterView {
    DeadLetterView {
        id: row.id,
        source: row.source,
        booking: row.unit.to_string(),
        action: row.action,
        note: row.note,
        tries: row.tries,
        created_at: row.created_at,
        given_up_at: row.finished_at,
        start: row.start,
        holds_credit: row.holds,
        reason: row.reason,
        last_attempt: row.last_attempt.as_ref().map(attempt),
    }
}
