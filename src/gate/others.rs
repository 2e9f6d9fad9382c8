//! Other bookings as policies see them: those of the store, and those of the same chain.

use std::collections::BTreeMap;

use super::advance;
use crate::domain::booking::Status;
use crate::domain::chain::ChainRecord;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::UnitKey;
use crate::domain::others::{Fate, OTHERS_MAX, OtherBooking, Wanted};
use crate::domain::timeline::{EndedBy, Standing, Timeline};
use crate::policy::facts::{Facts, Loaded, Need};
use crate::storage::records::BookingRow;
use crate::storage::{StorageError, Tx};

/// The chain of the booking that is decided.
pub(super) struct Around<'a> {
    pub(super) record: &'a ChainRecord,
    pub(super) timeline: &'a Timeline<'a>,
    /// What was decided of it in this transaction, and is not in the record yet.
    pub(super) judged: BTreeMap<&'a UnitKey, Outcome>,
    /// The booking itself.
    pub(super) unit: &'a UnitKey,
}

/// Fetches what a policy asks for of other bookings, and keeps it from changing until the transaction
/// ends.
pub(super) async fn load(
    tx: &mut Tx,
    around: &Around<'_>,
    need: &Need,
    facts: &mut Facts,
    now: Timestamp,
) -> Result<(), StorageError> {
    match need {
        Need::Account => {}
        Need::Tags => {
            let tags = match &facts.details.booker.email {
                Some(booker) => tx.tags(booker).await?,
                None => BTreeMap::new(),
            };
            facts.know_tags(tags);
        }
        Need::Others(wanted) => {
            tx.lock_count(&wanted.of.lock()).await?;
            let rows = tx.other_bookings(wanted, around.record.chain).await?;
            let own = own(around, wanted, now);
            let found = of_rows(&rows, now).map(|mut others| {
                others.extend(own);
                others
            });
            facts.know_others(wanted.clone(), found);
        }
        Need::CodeUses(code) => {
            tx.lock_count(code).await?;
            let uses = tx.uses_of_code(code, around.record.chain).await?;
            facts.know_uses(code.clone(), Loaded::Known(uses));
        }
        // Asked with no transaction open.
        Need::Callout(_) => {}
    }
    Ok(())
}

/// Stored bookings, as far as they count; that there are too many if there are.
pub(super) fn of_rows(rows: &[BookingRow], now: Timestamp) -> Loaded<Vec<OtherBooking>> {
    if rows.len() > OTHERS_MAX {
        return Loaded::Failed(format!(
            "there are more than {OTHERS_MAX} bookings to count"
        ));
    }
    Loaded::Known(rows.iter().filter_map(|row| seen(row, now)).collect())
}

/// Those of the same chain: the seats of an appointment, the occurrences of a series. What moves have
/// made one booking of is not another one.
fn own(around: &Around<'_>, wanted: &Wanted, now: Timestamp) -> Vec<OtherBooking> {
    let head = around.timeline.final_heir(around.unit);
    let rows = advance::rows(around.record, around.timeline, false, now);
    let others = rows.into_iter().filter_map(|mut row| {
        let key = UnitKey {
            uid: row.uid.clone(),
            seat: row.seat.clone(),
        };
        if around.timeline.final_heir(&key) == head {
            return None;
        }
        row.outcome = around.judged.get(&key).copied().or(row.outcome);
        // Nobody has decided it yet: whoever comes first takes the place.
        row.outcome?;
        let other = seen(&row, now)?;
        let event_type = other.event_type.as_deref();
        let meant = wanted.of.means(row.booker.as_ref(), event_type);
        (meant && wanted.covers(other.start, other.end, other.asked_at)).then_some(other)
    });
    others.collect()
}

/// A booking as others see it; `None` if it counts for nobody.
fn seen(row: &BookingRow, now: Timestamp) -> Option<OtherBooking> {
    let (start, end) = (row.start?, row.end?);
    let (standing, outcome) = (Standing::from_word(&row.status)?, row.outcome);
    let fate = match (standing, outcome) {
        (Standing::At(Status::Rejected), _) | (Standing::At(_), Some(Outcome::Reject)) => {
            Fate::Refused
        }
        // Nobody has answered it, and nobody will.
        (Standing::At(Status::Pending), _) if end <= now => return None,
        (Standing::At(Status::Pending), Some(Outcome::Accept)) => Fate::Standing,
        (Standing::At(Status::Pending), Some(Outcome::Defer)) => Fate::Waiting,
        (Standing::At(Status::Accepted), _) => Fate::Standing,
        (Standing::At(Status::Cancelled), Some(Outcome::Accept)) => match row.ended_by {
            Some(EndedBy::Booker) => Fate::CalledOff,
            Some(EndedBy::Host | EndedBy::Us | EndedBy::Unknown) | None => Fate::Withdrawn,
        },
        _ => return None,
    };
    Some(OtherBooking {
        source: row.source.clone(),
        uid: row.uid.clone(),
        event_type_id: row.event_type_id,
        event_type: row.event_type.clone(),
        start,
        end,
        asked_at: row.asked_at,
        fate,
        ended_at: row.ended_at,
        no_show: row.no_show == Some(true),
    })
}
