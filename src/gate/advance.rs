//! One step of a chain, inside one transaction: write down what was learned, plan, carry out all the
//! bookkeeping the plan asks for, and say what must be done outside next.

use std::sync::Arc;

use super::callouts::{Answers, Open};
use super::metrics::Decided;
use super::notices::Watched;
use super::payer::Payer;
use super::report::{self, Report};
use super::written::{Written, as_stored};
use super::{Inner, decide};
use crate::domain::amount::Amount;
use crate::domain::booking::Details;
use crate::domain::chain::{Attempt, AttemptResult, ChainRecord, Command, CommandChange, Hold};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::UnitKey;
use crate::domain::plan::{CreditStep, Plan, decision_of};
use crate::domain::timeline::{Timeline, with_final_names};
use crate::provider::Target;
use crate::storage::records::{BookingRow, Lease, NewCommand, Posted};
use crate::storage::{LedgerError, StorageError, Tx};

/// Why credit is taken that had come back, and why it is not.
const CAME: &str = "the booker came after all: the mark was taken back";
const CAME_IN_VAIN: &str = "the booker came after all, and what came back could not be taken again: \
                            there is not so much credit, or the account is not open";
/// Rounds of bookkeeping in one transaction: a chain that needs more has a rule that contradicts
/// itself.
const ROUNDS_MAX: usize = 16;
/// How long a chain rests after its plan would not come to an end, in ms.
const RESTLESS_MS: i64 = 60_000;

/// What must be done outside of the transaction.
pub(super) enum Next {
    /// Read this booking.
    Read(Target),
    /// Ask these servers.
    Ask(Vec<Open>),
    /// Make this attempt.
    Deliver(Arc<Job>),
    /// Nothing: the lease was given back, or is no longer ours.
    Done {
        /// There is more to do, at some time.
        due_again: bool,
    },
}

/// An attempt that is written down and may be made.
pub(super) struct Job {
    /// The right to make it.
    pub(super) lease: Lease,
    /// The chain as it was when the attempt was written down.
    pub(super) record: ChainRecord,
    /// The command.
    pub(super) command: Command,
    /// The attempt.
    pub(super) attempt: Attempt,
    /// When the booking begins, if that is known.
    pub(super) start: Option<Timestamp>,
}

/// What was learned outside.
#[derive(Clone)]
pub(super) struct Learned {
    pub(super) report: Report,
    /// The attempt that it is about, if it is about one.
    pub(super) job: Option<Arc<Job>>,
}

impl Learned {
    /// The chain as it is after the end of this attempt, if nothing else has happened to it.
    fn known(&self, now: Timestamp) -> Option<ChainRecord> {
        let (Report::Attempt(report), Some(job)) = (&self.report, &self.job) else {
            return None;
        };
        let mut record = job.record.clone();
        let mut all = record.commands.iter_mut();
        let command = all.find(|command| command.id == report.change.id)?;
        command.attempts.push(job.attempt.clone());
        let (status, detail) = (report.http_status.map(i64::from), report.detail.as_deref());
        command.end_attempt(job.attempt.id, report.result, status, detail, now);
        command.change(&report.change);
        Some(record)
    }
}

/// Takes one step. The transaction is the caller's; `answers` are what servers were asked for this chain;
/// `decided` is what is to be counted once it is
/// committed.
pub(super) async fn advance(
    gate: &Arc<Inner>,
    tx: &mut Tx,
    lease: Lease,
    (learned, answers): (Option<Learned>, &Answers),
    decided: &mut Vec<Decided>,
) -> Result<Next, StorageError> {
    let mut version = tx.lock_leased(&lease).await?;
    let now = gate.now();
    let Some(source) = gate.sources.get(lease.source.as_str()) else {
        // The source was taken out of the settings: its chains rest until it comes back.
        return release(tx, &lease, None).await;
    };
    let (mut later, mut known) = (None, None);
    // Whoever knows anything has taken a step before.
    let is_first = learned.is_none() && answers.is_empty();
    if let Some(learned) = learned {
        if let Report::ReadLater(at) = &learned.report {
            later = Some(*at);
        }
        let (of, chain) = (&lease.source, lease.chain);
        match report::record(gate, tx, of, chain, &learned.report, now).await? {
            true => known = learned.known(now),
            // It may have joined this chain to another, and that takes the lease.
            false => version = tx.held_version(&lease).await?,
        }
    }
    let Some(version) = version else {
        tracing::info!(chain.id = %lease.chain, "lease lost; what was learned is stored");
        // Whoever has the chain now may have planned without it.
        tx.due_no_later_than(lease.chain, now).await?;
        return Ok(Next::Done { due_again: true });
    };
    let mut record = match known.filter(|known| known.version == version) {
        Some(known) => as_stored(tx, known).await?,
        None => match load(tx, &lease, version, is_first).await? {
            Some(record) => record,
            None => return Ok(Next::Done { due_again: false }),
        },
    };
    for _ in 0..ROUNDS_MAX {
        let timeline = Timeline::fold(&record, &source.rules);
        let plan = Plan::make(&record, &timeline, &source.rules, now);
        if plan.writes() {
            let about = (&record, &timeline, &plan);
            let mut written = carry_out(gate, tx, about, answers, decided, now).await?;
            let open = std::mem::take(&mut written.open);
            let decided = !plan.decide.is_empty();
            record = written.read(tx, record).await?;
            // Who counts bookings has waited for this one, and must find it decided.
            if decided && gate.policies.set().counts() {
                let timeline = Timeline::fold(&record, &source.rules);
                let rows = rows(&record, &timeline, false, now);
                tx.put_bookings(lease.chain, &rows).await?;
            }
            if !open.is_empty() {
                return Ok(Next::Ask(open));
            }
            continue;
        }
        if let (Some(unit), None) = (&plan.read, later) {
            return Ok(Next::Read(target(&timeline, unit)));
        }
        let command = plan.deliver.and_then(|id| {
            let mut all = record.commands.iter();
            all.find(|command| command.id == id).cloned()
        });
        let turn = command.as_ref().and_then(|command| {
            let unit = timeline.unit(&command.unit);
            let start = unit.and_then(|unit| Some(unit.details?.start));
            // What is to be given up needs no turn at a provider that is failing.
            let is_late = command.was_tried() && start.is_some_and(|start| start <= now);
            source.turn(now).filter(|_| !is_late)
        });
        if let (Some(command), None) = (command, turn) {
            let details = timeline.unit(&command.unit).and_then(|unit| unit.details);
            let start = details.map(|details| details.start);
            let call_timeout_ms = source.provider.call_timeout_ms();
            let mut job = begin(gate, tx, lease, record, command, call_timeout_ms, now).await?;
            job.start = start;
            return Ok(Next::Deliver(Arc::new(job)));
        }
        let rows = rows(&record, &timeline, plan.is_idle(), now);
        tx.put_bookings(lease.chain, &rows).await?;
        let due = [plan.wake_at, later, turn].into_iter().flatten().min();
        return release(tx, &lease, due).await;
    }
    tracing::error!(chain.id = %lease.chain, "the plan for this chain does not come to an end");
    release(tx, &lease, Some(plus_ms(now, RESTLESS_MS))).await
}

/// The chain as it is stored; `None` if it is no more.
async fn load(
    tx: &mut Tx,
    lease: &Lease,
    version: i64,
    is_first: bool,
) -> Result<Option<ChainRecord>, StorageError> {
    if is_first && let Some(new) = tx.load_new_chain(lease, version).await? {
        return as_stored(tx, with_final_names(new)).await.map(Some);
    }
    let stored = tx.load_chain(lease.chain).await?;
    Ok(stored.map(with_final_names))
}

async fn release(tx: &mut Tx, lease: &Lease, due: Option<Timestamp>) -> Result<Next, StorageError> {
    let released = tx.release_lease(lease, due).await?;
    let due_again = released.is_none_or(|released| released.due.is_some());
    Ok(Next::Done { due_again })
}

/// Writes the attempt down before it is made.
async fn begin(
    gate: &Inner,
    tx: &mut Tx,
    lease: Lease,
    record: ChainRecord,
    command: Command,
    call_timeout_ms: i64,
    now: Timestamp,
) -> Result<Job, StorageError> {
    // One GET, one call, and one GET to see what a refused call meant.
    let deadline = plus_ms(now, 3 * call_timeout_ms);
    let worker = &gate.settings.worker_name;
    let attempt = Attempt {
        id: tx.begin_attempt(command.id, worker, now, deadline).await?,
        number: command.attempts.last().map_or(0, |last| last.number) + 1,
        worker: worker.clone(),
        started_at: now,
        deadline_at: deadline,
        answered_at: None,
        result: None,
        http_status: None,
        detail: None,
    };
    Ok(Job {
        lease,
        record,
        command,
        attempt,
        start: None,
    })
}

fn target(timeline: &Timeline<'_>, key: &UnitKey) -> Target {
    Target {
        uid: key.uid.clone(),
        number: timeline.unit(key).and_then(|unit| unit.number),
        seat: key.seat.clone(),
    }
}

async fn carry_out(
    gate: &Arc<Inner>,
    tx: &mut Tx,
    (record, timeline, plan): (&ChainRecord, &Timeline<'_>, &Plan),
    answers: &Answers,
    decided: &mut Vec<Decided>,
    now: Timestamp,
) -> Result<Written, StorageError> {
    let mut written = Written::to(record);
    for (id, attempt) in &plan.expired {
        let detail = "the worker stopped before the answer was recorded";
        tx.finish_attempt(*attempt, AttemptResult::Unknown, None, Some(detail), now)
            .await?;
        tracing::warn!(command.id = %id, "an attempt ended unknown; the booking will be read");
        // It counts: a call that takes the whole process down must come to an end, too.
        if let Some(command) = written.command(*id) {
            let change = CommandChange {
                tries: command.tries + 1,
                ..command.unchanged()
            };
            tx.change_command(&change, now).await?;
            command.change(&change);
            let unknown = AttemptResult::Unknown;
            command.end_attempt(*attempt, unknown, None, Some(detail), now);
        }
    }
    for deciding in &plan.decide {
        let about = (record, timeline, deciding);
        decided.extend(decide::decide(gate, tx, about, answers, &mut written, now).await?);
    }
    for step in &plan.credit {
        let posted = match step {
            CreditStep::Capture(hold) => tx.capture(*hold, now).await?,
            CreditStep::Release(hold) => tx.release_hold(*hold, now).await?,
            CreditStep::Refund {
                hold,
                minor,
                reason,
            } => tx.refund(*hold, *minor, reason, now).await?,
            CreditStep::ChargeAgain { hold, minor } => {
                let Some(hold) = record.holds.iter().find(|known| known.id == *hold) else {
                    continue;
                };
                charge_again(gate, tx, (record, hold, *minor), &mut written, now).await?
            }
        };
        if posted == Posted::New(()) {
            written.holds.iter_mut().for_each(|hold| step.apply(hold));
        }
    }
    for change in &plan.changes {
        tx.change_command(change, now).await?;
        if let Some(command) = written.command(change.id) {
            command.change(change);
        }
    }
    for wanted in &plan.commands {
        let command = NewCommand {
            chain: record.chain,
            decision: wanted.decision,
            unit: wanted.unit.clone(),
            number: wanted.number,
            action: wanted.action,
            purpose: wanted.purpose,
            reason: wanted.reason.clone(),
            due_at: now,
        };
        let id = tx.insert_command(&command, now).await?;
        written.commands.push(command.stored(id, now));
    }
    Ok(written)
}

/// Takes again what came back, or waives it where the account has not so much or is not open: nobody is
/// brought below what they may owe for a mark that somebody else has set.
async fn charge_again(
    gate: &Arc<Inner>,
    tx: &mut Tx,
    (record, hold, minor): (&ChainRecord, &Hold, i64),
    written: &mut Written,
    now: Timestamp,
) -> Result<Posted<()>, StorageError> {
    let amount = Amount {
        minor,
        unit: hold.amount.unit.clone(),
    };
    let payer = Payer {
        owner: Some(hold.owner.clone()),
        amount: amount.clone(),
        suffices: true,
    };
    let watched = Watched::begin(&gate.notices, tx, Some(&payer)).await?;
    match tx.charge_again(hold.id, minor, CAME, now).await {
        Ok(posted) => {
            if let Some(watched) = watched {
                watched.end(gate, tx, now).await?;
            }
            Ok(posted)
        }
        Err(LedgerError::Storage(error)) => Err(error),
        Err(_) => {
            tx.waive(hold.decision, record.chain, &amount, CAME_IN_VAIN, now)
                .await?;
            written.waivers.push(hold.decision);
            Ok(Posted::Duplicate)
        }
    }
}

/// The lines that lists show of a chain's bookings.
pub(super) fn rows(
    record: &ChainRecord,
    timeline: &Timeline<'_>,
    idle: bool,
    now: Timestamp,
) -> Vec<BookingRow> {
    let row = |unit: &crate::domain::timeline::Unit<'_>| {
        let decision = decision_of(record, &unit.key);
        let details = unit.details;
        BookingRow {
            source: record.source.clone(),
            uid: unit.key.uid.clone(),
            seat: unit.key.seat.clone(),
            chain: record.chain,
            number: unit.number,
            status: unit.standing.as_str().to_owned(),
            outcome: decision.map(|decision| decision.outcome),
            decision: decision.map(|decision| decision.id),
            settled: idle,
            booker: details.and_then(|details| details.booker.email.clone()),
            event_type: details.and_then(Details::event_type_name),
            start: details.map(|details| details.start),
            end: details.map(|details| details.end),
            updated_at: now,
            event_type_id: details.and_then(|details| details.event_type_id),
            asked_at: unit.ask.and_then(|ask| ask.provider_time),
            ended_at: unit
                .end
                .map(|end| end.provider_time.unwrap_or(end.heard_at)),
            ended_by: unit.end.map(|end| end.by),
            no_show: unit.marked.then_some(unit.missed),
        }
    };
    timeline.units.values().map(row).collect()
}
