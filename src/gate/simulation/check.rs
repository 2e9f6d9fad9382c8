//! What must hold at the end of every history, reckoned from what the provider has and what people did,
//! without the gate's own rules.

use std::collections::BTreeMap;

use super::history::Who;
use super::schedule::Simulation;
use super::stage::{POOR, PRICE, RICH, SOURCE};
use super::world::booker;
use crate::domain::booking::Status;
use crate::domain::chain::{ChainRecord, CommandState, Decider, Hold, HoldState};
use crate::domain::decision::Outcome;
use crate::domain::ids::{SourceName, Uid, UnitKey};
use crate::domain::owner::Owner;
use crate::domain::plan::decision_of;
use crate::standin::calcom::Booking;
use crate::storage::records::BookingRow;
use crate::storage::{Storage, StorageError};

/// What the store has of one booking.
struct Stored {
    row: BookingRow,
    record: ChainRecord,
}

/// The first thing that is not as it must be.
pub(super) async fn end(simulation: &Simulation) -> Result<(), String> {
    let mut spent = BTreeMap::from([(Who::Rich as usize, 0), (Who::Poor as usize, 0)]);
    for (index, booking) in simulation.world.cal.bookings().into_iter().enumerate() {
        let stored = stored(simulation, &booking).await;
        let stored = stored.ok_or_else(|| format!("b{index} is not known"))?;
        let credits = one(&booking, &stored).map_err(|wrong| format!("b{index}: {wrong}"))?;
        let who = if booking.booker == booker(Who::Rich) {
            Who::Rich
        } else {
            Who::Poor
        };
        *spent.entry(who as usize).or_default() += credits;
    }
    for (who, had) in [(Who::Rich, RICH), (Who::Poor, POOR)] {
        let (posted, held) = balance(simulation, who).await;
        let left = 100 * (had - spent[&(who as usize)]);
        if (posted, held) != (left, 0) {
            return Err(format!(
                "{who:?} has {posted} posted and {held} held, and should have {left} and 0"
            ));
        }
    }
    let violations = simulation.desk.verify_ledger().await.unwrap();
    if !violations.is_empty() {
        return Err(format!("the ledger does not add up: {violations:?}"));
    }
    Ok(())
}

async fn stored(simulation: &Simulation, booking: &Booking) -> Option<Stored> {
    let uid = booking.uid.clone();
    let stored: Result<_, StorageError> = simulation
        .storage
        .read(move |tx| {
            Box::pin(async move {
                let source = SourceName::new(SOURCE);
                let Some(row) = tx.find_booking(&source, uid.as_str()).await? else {
                    return Ok(None);
                };
                let record = tx.load_chain(row.chain).await?;
                Ok(record.map(|record| Stored { row, record }))
            })
        })
        .await;
    stored.unwrap()
}

/// Checks one booking and gives the credits it has cost.
fn one(booking: &Booking, stored: &Stored) -> Result<i64, String> {
    let (there, here) = (booking.status, stored.row.status.as_str());
    let agrees = match there {
        Status::Cancelled if booking.rescheduled => here == "superseded",
        Status::Cancelled | Status::Rejected => {
            ["cancelled", "rejected", "superseded"].contains(&here)
        }
        other => here == other.as_str(),
    };
    if !agrees {
        let there = there.as_str();
        return Err(format!("{there} at the provider, and we think {here}"));
    }
    if there == Status::Pending {
        return Err("never answered".to_owned());
    }
    if !stored.row.settled {
        return Err("something is left to do".to_owned());
    }
    let unit = UnitKey::booking(booking.uid.clone());
    decided_once(&stored.record, &unit)?;
    let mut commands = stored.record.commands.iter();
    let is_left = |state| matches!(state, CommandState::Open | CommandState::Dead);
    if let Some(command) = commands.find(|command| is_left(command.state)) {
        return Err(format!("left over: {command:?}"));
    }
    let cost = cost(stored, &unit)?;
    if there != Status::Accepted {
        return match cost {
            0 => Ok(0),
            _ => Err(format!("it does not stand, and {cost} were kept")),
        };
    }
    let decision = decision_of(&stored.record, &unit).ok_or("it stands undecided")?;
    let by_policy = decision.decider == Decider::Policy;
    let waived = !by_policy && stored.record.waivers.contains(&decision.id);
    match (decision.outcome, cost) {
        (Outcome::Accept, PRICE) => Ok(cost),
        (Outcome::Accept, 0) if waived => Ok(0),
        (outcome, _) => Err(format!(
            "it stands, was decided {}, and cost {cost}",
            outcome.as_str()
        )),
    }
}

fn decided_once(record: &ChainRecord, unit: &UnitKey) -> Result<(), String> {
    let about = record.decisions.iter().filter(|one| one.unit == *unit);
    let mut rounds: Vec<_> = about.map(|one| (one.start, one.end, one.round)).collect();
    let decisions = rounds.len();
    rounds.sort();
    rounds.dedup();
    if rounds.len() < decisions {
        return Err("one revision was decided twice".to_owned());
    }
    Ok(())
}

/// What a booking cost its booker in whole credits, after what came back.
fn cost(stored: &Stored, unit: &UnitKey) -> Result<i64, String> {
    let holds = stored.record.holds.iter().filter(|hold| hold.unit == *unit);
    let mut cost = 0;
    for hold in holds {
        cost += match hold.state {
            HoldState::Held => return Err("a hold is left open".to_owned()),
            HoldState::Captured => captured(hold),
            HoldState::Released | HoldState::Carried => 0,
        };
    }
    Ok(cost)
}

fn captured(hold: &Hold) -> i64 {
    (hold.captured - hold.refunded) / 100
}

/// The workers whose calls about a booking's chain are written down and not judged.
pub(super) async fn open_attempts(storage: &Storage, uid: &Uid) -> Vec<String> {
    let key = format!("uid:{uid}");
    let open: Result<_, StorageError> = storage
        .read(move |tx| {
            Box::pin(async move {
                let source = SourceName::new(SOURCE);
                let Some(chain) = tx.find_chain(&source, &key).await? else {
                    return Ok(Vec::new());
                };
                let record = tx.load_chain(chain).await?;
                let commands = record.map_or_else(Vec::new, |record| record.commands);
                let attempts = commands.into_iter().flat_map(|command| command.attempts);
                let open = attempts.filter(|attempt| attempt.result.is_none());
                Ok(open.map(|attempt| attempt.worker).collect())
            })
        })
        .await;
    open.unwrap()
}

async fn balance(simulation: &Simulation, who: Who) -> (i64, i64) {
    let owner = Owner::parse(&booker(who).email).unwrap();
    let balances: Result<_, StorageError> = simulation
        .storage
        .read(move |tx| Box::pin(async move { tx.balances(&owner).await }))
        .await;
    let balances = balances.unwrap().expect("topped up at the beginning");
    (balances[0].posted, balances[0].held)
}
