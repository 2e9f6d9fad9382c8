//! One booking as the provider has it, beside what is stored of it.

use crate::domain::booking::Reading;
use crate::domain::chain::FactBody;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SourceName;
use crate::domain::timeline::{Comparison, Rules, compare};
use crate::gate::keys;
use crate::storage::{StorageError, Tx};

/// A reading, and what its booking is to us.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Asked {
    /// What was read.
    pub(in crate::gate) reading: Reading,
    /// Whether it is on a calendar of the account.
    pub(in crate::gate) at_home: bool,
    /// When the provider was asked, by our clock.
    pub(in crate::gate) asked_at: Timestamp,
    /// Since when bookgate looks after the source.
    pub(in crate::gate) met_at: Timestamp,
}

/// What a reading turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gate) enum Found {
    /// What is known, or none of our business.
    Same,
    /// News: in a word, how the booking stands.
    Differs(&'static str),
    /// Something else than is known, and not followed: in a word, why.
    Deferred(&'static str),
}

/// Nothing had been heard of it.
const MISSED: &str = "missed";
/// It was booked before bookgate came, and no webhook has told of it.
const OLDER: &str = "older";
/// It has ended, and still waits for an answer.
const LAPSED: &str = "lapsed";
/// It contradicts what was heard, and may only be late.
const UNSETTLED: &str = "unsettled";

/// Compares a reading with what is stored.
pub(super) async fn with_known(
    tx: &mut Tx,
    source: &SourceName,
    rules: &Rules,
    asked: &Asked,
) -> Result<Found, StorageError> {
    for name in keys::of_reading(&asked.reading) {
        let Some(chain) = tx.find_chain(source, &name).await? else {
            continue;
        };
        if let Some(record) = tx.load_chain(chain).await? {
            return Ok(
                match compare(record, &asked.reading, asked.asked_at, rules) {
                    Comparison::Same => Found::Same,
                    Comparison::Unheard => Found::Differs(MISSED),
                    Comparison::Differs(standing) => Found::Differs(standing.as_str()),
                    Comparison::Lapsed => Found::Differs(LAPSED),
                    Comparison::Unsettled => Found::Deferred(UNSETTLED),
                },
            );
        }
    }
    if !asked.at_home {
        return Ok(Found::Same);
    }
    // The one place where a provider's clock meets ours: an hour or a day of difference would matter for
    // nothing but the bookings of that hour or day.
    let older = asked.reading.created_at.is_none_or(|at| at < asked.met_at);
    Ok(if older {
        Found::Deferred(OLDER)
    } else {
        Found::Differs(MISSED)
    })
}

/// Files a reading if it differs.
pub(super) async fn file(
    tx: &mut Tx,
    source: &SourceName,
    rules: &Rules,
    asked: Asked,
    now: Timestamp,
) -> Result<Found, StorageError> {
    let found = with_known(tx, source, rules, &asked).await?;
    if matches!(found, Found::Differs(_)) {
        let names = keys::of_reading(&asked.reading);
        let chain = tx.chain_for(source, &names, now).await?;
        let fact = FactBody::Reading(Box::new(asked.reading));
        tx.append_fact(chain, None, &fact, asked.asked_at, Some(now))
            .await?;
    }
    Ok(found)
}
