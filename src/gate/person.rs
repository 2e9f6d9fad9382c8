//! A person decides what was left open to one.
//!
//! Such a decision is a round like those of the policies, written under the lock of its chain that every
//! step takes, in one transaction with the hold it needs. It tells the provider nothing: it makes the
//! chain due, and whoever works it finds a decision without a call, as after a crash. So there is nothing
//! in between that could be lost, and no lease to wait for: a worker that is reading or calling outside
//! folds its chain anew before it writes, and finds the decision there.

use std::sync::Arc;

use serde_json::json;

use super::again::again;
use super::decide::{self, Judgement};
use super::metrics::Decided;
use super::notices::Watched;
use super::payer::{self, Payer, Spare};
use super::views::BookingView;
use super::{Actor, Gate, GateError, Inner, advance};
use crate::domain::chain::{ChainRecord, Decider, Decision};
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::{SeatId, SourceName, Uid};
use crate::domain::plan::{ForPerson, LeftOpen, Wish, for_person};
use crate::domain::timeline::{Timeline, Unit, with_final_names};
use crate::policy::text::{MESSAGE_CHARS_MAX, clean};
use crate::storage::records::Posted;
use crate::storage::{StorageError, Tx};

/// What a person decides about a booking.
#[derive(Debug, Clone)]
pub struct PersonDecides {
    /// The source of the booking.
    pub source: String,
    /// Its uid or number.
    pub reference: String,
    /// The seat, if there are several.
    pub seat: Option<String>,
    /// What is to become of it.
    pub answer: PersonsAnswer,
    /// Who decides.
    pub actor: Actor,
}

/// What a person wants to become of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonsAnswer {
    /// It may stand.
    Accept {
        /// Whether the booker pays nothing.
        waive_credits: bool,
    },
    /// It may not.
    Refuse {
        /// For the booker; cleaned and cut as the messages of policies are.
        reason: String,
    },
}

impl PersonsAnswer {
    fn wish(&self) -> Wish<'_> {
        match self {
            Self::Accept { .. } => Wish::Accept,
            Self::Refuse { reason } => Wish::Refuse(reason),
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Accept { .. } => Outcome::Accept,
            Self::Refuse { .. } => Outcome::Reject,
        }
    }

    fn audited(&self) -> &'static str {
        match self {
            Self::Accept {
                waive_credits: false,
            } => "booking.accept",
            Self::Accept {
                waive_credits: true,
            } => "booking.accept_for_nothing",
            Self::Refuse { .. } => "booking.refuse",
        }
    }

    fn waives(&self) -> bool {
        matches!(self, Self::Accept { waive_credits } if *waive_credits)
    }
}

impl Gate {
    /// Decides a booking that was left to a person. The same decision again changes nothing.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a refusal without a reason, [`GateError::NotFound`] if there is no such
    /// booking, [`GateError::Conflict`] if it is not open (so) to a person, and
    /// [`GateError::ShortOfCredit`] if the booker cannot pay and the price is not waived.
    pub async fn decide_booking(&self, order: PersonDecides) -> Result<BookingView, GateError> {
        let view = decide_booking(&self.0, order).await?;
        self.wake();
        Ok(view)
    }
}

/// As [`Gate::decide_booking`], without waking a worker.
pub(super) async fn decide_booking(
    gate: &Arc<Inner>,
    order: PersonDecides,
) -> Result<BookingView, GateError> {
    let order = Arc::new(understood(order)?);
    let (view, decided) = again(|| {
        let (this, order) = (Arc::clone(gate), Arc::clone(&order));
        let storage = &gate.storage;
        storage.write(move |tx| Box::pin(async move { take(&this, tx, &order).await }))
    })
    .await?;
    if decided > 0 {
        let outcome = order.answer.outcome();
        tracing::info!(
            booking.r#ref = %format_args!("{}/{}", order.source, view.line.uid),
            decision.outcome = outcome.as_str(),
            actor = %order.actor.name,
            "decided by a person"
        );
        let source = SourceName::new(order.source.as_str());
        let one = Decided {
            outcome,
            policy: None,
            shadows: Vec::new(),
        };
        (0..decided).for_each(|_| gate.metrics.decided(&source, &one));
        gate.storage.ring();
    }
    Ok(view)
}

fn understood(mut order: PersonDecides) -> Result<PersonDecides, GateError> {
    if let PersonsAnswer::Refuse { reason } = &mut order.answer {
        *reason = clean(reason, MESSAGE_CHARS_MAX);
        if reason.is_empty() {
            let text = "reason: a refusal needs one; the booker is told it";
            return Err(GateError::Invalid(text.to_owned()));
        }
    }
    Ok(order)
}

/// Takes a person's decision; gives the booking as it is then, and how many bookings were decided.
async fn take(
    gate: &Inner,
    tx: &mut Tx,
    order: &PersonDecides,
) -> Result<(BookingView, usize), GateError> {
    let now = gate.now();
    let source = SourceName::new(order.source.as_str());
    let found = tx.find_booking(&source, &order.reference).await?;
    let Some(row) = found else {
        return Err(super::query::no_booking(&source, &order.reference));
    };
    let rules = gate
        .sources
        .get(source.as_str())
        .map(|source| &source.rules);
    let rules = rules.ok_or_else(|| {
        let text = format!("source `{source}` is not in the settings any more: its bookings rest");
        GateError::Conflict(text)
    })?;
    let chain = row.chain;
    tx.lock_chain(chain).await?;
    let Some(record) = tx.load_chain(chain).await? else {
        let text = "the booking's chain was merged into another";
        return Err(StorageError::Conflict(text.to_owned()).into());
    };
    let record = with_final_names(record);
    let timeline = Timeline::fold(&record, rules);
    let unit = one_unit(&timeline, &row.uid, order)?;
    let open = for_person(&record, &timeline, unit, rules, order.answer.wish(), now);
    let open = open.map_err(|why| {
        let text = format!("booking `{source}/{}` is not open: {why}", unit.key);
        GateError::Conflict(text)
    })?;
    let mut decided = 0;
    if let ForPerson::Open(left) = open {
        decided = left.deferred.len();
        write(gate, tx, &record, &timeline, left, order, now).await?;
        let record = with_final_names(tx.load_decisions(record).await?);
        let timeline = Timeline::fold(&record, rules);
        let target = format!("{source}/{}", row.uid);
        let detail = order.seat.as_ref().map(|seat| format!("seat {seat}"));
        let change = order.actor.change(order.answer.audited(), target, detail);
        tx.note_change(&change, now).await?;
        let rows = advance::rows(&record, &timeline, false, now);
        tx.put_bookings(chain, &rows).await?;
        tx.due_no_later_than(chain, now).await?;
    }
    let row = tx.find_booking(&source, &order.reference).await?;
    let row = row.ok_or_else(|| super::query::no_booking(&source, &order.reference))?;
    Ok((gate.desk.booking_view(tx, row).await?, decided))
}

/// The booking, or the seat of it, that is meant.
fn one_unit<'t, 'r>(
    timeline: &'t Timeline<'r>,
    uid: &Uid,
    order: &PersonDecides,
) -> Result<&'t Unit<'r>, GateError> {
    let wanted = order.seat.as_deref();
    let seat = |unit: &Unit<'_>| unit.key.seat.as_ref().map(SeatId::to_string);
    let of_it = timeline.units.values().filter(|unit| unit.key.uid == *uid);
    let meant: Vec<_> = of_it
        .filter(|unit| wanted.is_none() || seat(unit).as_deref() == wanted)
        .collect();
    match meant[..] {
        [unit] => Ok(unit),
        [] => Err(GateError::NotFound(match wanted {
            Some(seat) => format!("booking `{}/{uid}` has no seat `{seat}`", order.source),
            None => format!("nothing is known of booking `{}/{uid}`", order.source),
        })),
        _ => {
            let seats: Vec<_> = meant.into_iter().filter_map(seat).collect();
            let text = format!(
                "seat: the booking has several, say which: {}",
                seats.join(", ")
            );
            Err(GateError::Invalid(text))
        }
    }
}

/// Writes the decisions down, each with its hold: all of them or, if an error comes of it, none.
async fn write(
    gate: &Inner,
    tx: &mut Tx,
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    left: LeftOpen<'_>,
    order: &PersonDecides,
    now: Timestamp,
) -> Result<(), GateError> {
    let mut spare = payer::returning(record, &left.carry_from);
    let mut carry_from = left.carry_from;
    for deferred in left.deferred {
        let unit = timeline.unit(&deferred.unit);
        let Some((unit, details)) = unit.and_then(|unit| Some((unit, unit.details?))) else {
            continue;
        };
        let owner = details.booker.email.clone();
        let terms = &deferred.terms;
        let payer = match &order.answer {
            PersonsAnswer::Refuse { .. } => None,
            PersonsAnswer::Accept { waive_credits } if *waive_credits => {
                payer::unpaid(details, terms)
            }
            PersonsAnswer::Accept { .. } => payer::payer(tx, owner, terms, &spare).await?,
        };
        if let Some(payer) = payer.as_ref().filter(|_| !order.answer.waives()) {
            if !payer.suffices {
                return Err(short(gate, tx, payer, &spare).await?);
            }
            spare.take(&payer.amount);
        }
        let judgement = judgement(deferred, order, payer);
        let round = deferred.round + 1;
        let decision = decide::new_decision(record, unit, details, round, &judgement, now);
        let Posted::New(id) = tx.insert_decision(&decision).await? else {
            let text = "the booking was decided by somebody else just now";
            return Err(StorageError::Conflict(text.to_owned()).into());
        };
        gate.notices.decided(tx, &decision, id, &[]).await?;
        let watched = Watched::begin(&gate.notices, tx, judgement.payer.as_ref()).await?;
        let key = &unit.key;
        decide::pay(tx, record, key, id, &judgement, &mut carry_from, now).await?;
        if let Some(watched) = watched {
            watched.end(gate, tx, now).await?;
        }
    }
    Ok(())
}

fn judgement(deferred: &Decision, order: &PersonDecides, payer: Option<Payer>) -> Judgement {
    let waived = payer.is_some() && order.answer.waives();
    let note = format!("decision {} had left it to a person", deferred.id);
    Judgement {
        outcome: order.answer.outcome(),
        decider: Decider::Person(order.actor.name.clone()),
        verdict: None,
        message: match &order.answer {
            PersonsAnswer::Accept { .. } => None,
            PersonsAnswer::Refuse { reason } => Some(reason.clone()),
        },
        note: Some(match waived {
            true => format!("{note}; the price is waived"),
            false => note,
        }),
        terms: deferred.terms.clone(),
        facts: decide::to_json(&json!({"deferred_by": deferred.id, "price_waived": waived})),
        payer,
        shadows: Vec::new(),
    }
}

/// That the booker cannot pay, and what to do about it.
async fn short(
    gate: &Inner,
    tx: &mut Tx,
    payer: &Payer,
    spare: &Spare,
) -> Result<GateError, GateError> {
    let amount = &payer.amount;
    let price = format!("{} {}", gate.desk.amount_text(amount), amount.unit);
    let Some(owner) = &payer.owner else {
        return Ok(GateError::ShortOfCredit(format!(
            "the booking costs {price} and names nobody who could pay: accept it with waive_credits"
        )));
    };
    let available = payer::available(tx, owner, &amount.unit, spare).await?;
    let has = match available {
        Some(minor) => gate.desk.amount_text(&crate::domain::amount::Amount {
            minor,
            unit: amount.unit.clone(),
        }),
        None => "no open account".to_owned(),
    };
    Ok(GateError::ShortOfCredit(format!(
        "the booking costs {price}, and its booker has {has}: top the account up, or accept it with \
         waive_credits"
    )))
}
