//! One attempt to tell the provider, with no transaction open: read the booking, act only if it still
//! asks for it, and say what came of it. Never guesses: what has no answer is unknown.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::advance::Job;
use super::report::{AttemptReport, Report};
use super::source::Source;
use crate::domain::booking::{Reading, Status};
use crate::domain::chain::{AttemptResult, CommandChange, CommandState};
use crate::domain::clock::{Timestamp, ms_between, plus_ms};
use crate::domain::decision::Action;
use crate::domain::ids::DeliveryId;
use crate::domain::plan::still_wanted;
use crate::provider::{Call, CallError, Target};

/// How long to wait until deliveries that are acknowledged but not yet filed are filed.
const CATCH_UP: Duration = Duration::from_secs(2);
/// What a command waits for whose attempts do not count.
const OUTAGE: &str = "the provider is failing; this goes on once it answers again";

/// Makes the attempt.
pub(super) async fn deliver(gate: &Arc<Inner>, source: &Source, job: &Job) -> Report {
    let report = attempt(gate, source, job).await;
    let number = job.command.attempts.len() + 1;
    gate.metrics
        .attempted(&source.name, number, report.result.as_str());
    if report.change.state == CommandState::Dead {
        gate.metrics.dead_letter(&source.name);
    }
    Report::Attempt(Box::new(report))
}

async fn attempt(gate: &Arc<Inner>, source: &Source, job: &Job) -> AttemptReport {
    let mut outcome = Outcome {
        gate,
        job,
        source,
        asked_at: gate.now(),
    };
    let target = Target {
        uid: job.command.unit.uid.clone(),
        number: job.command.number,
        seat: job.command.unit.seat.clone(),
    };
    let reading = match read(source, &target).await {
        Ok(reading) => reading,
        Err(error) => return outcome.failed(&error),
    };
    if !unchanged(gate, job).await {
        return outcome.overtaken(reading);
    }
    let now = gate.now();
    // Past its deadline an attempt counts as unknown, and whoever finds it may call in its place: a
    // process that was stopped for a while must not call as well.
    if plus_ms(now, source.provider.call_timeout_ms()) > job.attempt.deadline_at {
        return outcome.overtaken(reading);
    }
    let Some(action) = still_wanted(&job.record, &job.command, &reading, now, &source.rules) else {
        return outcome.nothing_left(reading, None);
    };
    if let Some(report) = outcome.too_late(now).or_else(|| outcome.after_silence(now)) {
        return report;
    }
    let call = Call {
        action,
        target: target.clone(),
        reason: job.command.reason.clone(),
        pending: reading.status == Status::Pending,
    };
    outcome.asked_at = now;
    match source.provider.act(&call).await {
        Ok(answer) => outcome.done(action, answer.http_status, answer.reading),
        Err(CallError::Rejected {
            http_status,
            detail,
        }) => {
            outcome.asked_at = gate.now();
            match read(source, &target).await {
                Ok(reading) => outcome.refused(action, http_status, detail, reading),
                // What the refusal means is not known yet: someone may just have been quicker.
                Err(_) => outcome.failed(&CallError::Transient {
                    http_status: Some(http_status),
                    detail,
                }),
            }
        }
        Err(error) => outcome.failed(&error),
    }
}

/// Reads the one booking.
pub(super) async fn read(source: &Source, target: &Target) -> Result<Reading, CallError> {
    let readings = source.provider.read(target).await?;
    let this = |reading: &Reading| {
        let same_number = reading.number.is_some() && reading.number == target.number;
        reading.uid == target.uid || same_number
    };
    let mut readings = readings.into_iter();
    let first = readings.next();
    match first {
        Some(first) if this(&first) => Ok(first),
        other => other
            .into_iter()
            .chain(readings)
            .find(this)
            .ok_or(CallError::NotFound { http_status: 200 }),
    }
}

/// Whether the chain still is as it was when the attempt was written down, with all that had come in
/// before this moment filed.
async fn unchanged(gate: &Arc<Inner>, job: &Job) -> bool {
    if !gate.drained(CATCH_UP).await {
        return false;
    }
    match look(gate, job).await {
        Some((version, None)) => version == job.record.version,
        // It may be about this chain.
        Some((_, Some(_))) => {
            let version = |(version, _)| version == job.record.version;
            gate.caught_up(CATCH_UP).await && look(gate, job).await.is_some_and(version)
        }
        None => false,
    }
}

/// The version of the chain, unless the lease was lost, and the last delivery that is not filed.
async fn look(gate: &Arc<Inner>, job: &Job) -> Option<(i64, Option<DeliveryId>)> {
    let lease = job.lease.clone();
    let looking = gate
        .storage
        .look_together(move |tx| Box::pin(async move { tx.look_at(&lease).await }));
    looking.await.ok().flatten()
}

/// Turns what happened into what is written down.
struct Outcome<'j> {
    gate: &'j Arc<Inner>,
    source: &'j Source,
    job: &'j Job,
    /// When the provider was last asked how the booking stands.
    asked_at: Timestamp,
}

impl Outcome<'_> {
    fn report(&self, result: AttemptResult, state: CommandState) -> AttemptReport {
        let command = &self.job.command;
        AttemptReport {
            attempt: self.job.attempt.id,
            result,
            http_status: None,
            detail: None,
            unit: command.unit.clone(),
            change: CommandChange {
                id: command.id,
                state,
                action: command.action,
                due_at: command.due_at,
                tries: command.tries,
                note: None,
            },
            asked_at: self.asked_at,
            news: Vec::new(),
        }
    }

    /// The provider did it. Its answer is only news where it shows more than was asked.
    fn done(&self, action: Action, http_status: u16, reading: Option<Reading>) -> AttemptReport {
        let mut report = self.report(AttemptResult::Ok, CommandState::Done);
        report.change.action = action;
        report.http_status = Some(http_status);
        let expected = |reading: &Reading| match action {
            Action::Confirm => reading.status == Status::Accepted,
            Action::Decline | Action::Cancel => reading.status.is_over(),
        };
        let news = |reading: &Reading| !expected(reading) || reading.moved_to.is_some();
        report.news = reading.into_iter().filter(news).collect();
        report
    }

    /// Reading showed that the call is not, or no longer, needed. After a call without an answer, that
    /// is how its success shows.
    fn nothing_left(&self, reading: Reading, http_status: Option<u16>) -> AttemptReport {
        let command = &self.job.command;
        let reached = match command.action {
            Action::Confirm => reading.status == Status::Accepted,
            Action::Decline | Action::Cancel => reading.status.is_over(),
        };
        let unknown_before = command
            .attempts
            .iter()
            .any(|attempt| attempt.result == Some(AttemptResult::Unknown));
        let ours = reached && (unknown_before || http_status.is_some());
        let (result, state) = match (ours, reached) {
            (true, _) => (AttemptResult::Settled, CommandState::Done),
            (false, true) => (AttemptResult::NotNeeded, CommandState::Done),
            (false, false) => (AttemptResult::NotNeeded, CommandState::Obsolete),
        };
        let mut report = self.report(result, state);
        report.http_status = http_status;
        report.change.note = Some(format!(
            "read back: the booking is {}",
            reading.status.as_str()
        ));
        report.news = vec![reading];
        report
    }

    /// Something came in while the booking was read: plan again before anything is done.
    fn overtaken(&self, reading: Reading) -> AttemptReport {
        let mut report = self.wait(
            self.gate.now(),
            "something new came in; looked again before calling",
        );
        if reading.moved_to.is_some() || reading.status.is_over() {
            report.news = vec![reading];
        }
        report
    }

    fn wait(&self, at: Timestamp, why: &str) -> AttemptReport {
        let mut report = self.report(AttemptResult::Limited, CommandState::Open);
        report.change.due_at = at;
        report.change.note = self.job.command.note.clone();
        report.detail = Some(why.to_owned());
        report
    }

    /// The provider refused the call, and the booking was read again to see what that means.
    fn refused(
        &self,
        action: Action,
        http_status: u16,
        detail: String,
        reading: Reading,
    ) -> AttemptReport {
        let (job, rules) = (self.job, &self.source.rules);
        let mut command = job.command.clone();
        command.action = action;
        let wanted = still_wanted(&job.record, &command, &reading, self.gate.now(), rules);
        if wanted.is_none() {
            let mut report = self.nothing_left(reading, Some(http_status));
            report.detail = Some(detail);
            return report;
        }
        self.failed(&CallError::Rejected {
            http_status,
            detail,
        })
    }

    /// What becomes of a last call that had no answer and turned out not to be carried out: the next
    /// waits for its time on the schedule, and past the schedule's end there is none. `None` if it may
    /// be made now.
    fn after_silence(&self, now: Timestamp) -> Option<AttemptReport> {
        let command = &self.job.command;
        let last = command.attempts.last()?;
        if last.result != Some(AttemptResult::Unknown) {
            return None;
        }
        let met = last.detail.as_deref().unwrap_or("no answer came");
        let why = format!("{met}; read back: it was not carried out");
        let Some(wait) = self.wait_after(command.tries) else {
            let mut report = self.dead(AttemptResult::Transient, command.tries, why);
            report.http_status = last.http_status.and_then(|status| status.try_into().ok());
            return Some(report);
        };
        let at = plus_ms(last.started_at, wait);
        (at > now).then(|| self.wait(at, &why))
    }

    /// Once the booking has begun, nothing is tried again: who was to be told has come, or has not. A first
    /// try is made all the same, and so is one that a person asks for.
    fn too_late(&self, now: Timestamp) -> Option<AttemptReport> {
        let tries = self.job.command.tries;
        let tried = self.job.command.was_tried();
        let start = self.job.start.filter(|start| *start <= now && tried)?;
        let attempts = self.job.command.attempts.iter().rev();
        let last = attempts
            .filter_map(|attempt| attempt.detail.as_deref())
            .next();
        let detail = after_start(start, last.unwrap_or("no answer"));
        Some(self.dead(AttemptResult::Transient, tries, detail))
    }

    fn dead(&self, result: AttemptResult, tries: i64, detail: String) -> AttemptReport {
        tracing::error!(
            booking.r#ref = %format_args!("{}/{}", self.source.name, self.job.command.unit),
            command.id = %self.job.command.id,
            attempts = tries,
            error = %detail,
            "dead letter: the provider was not told; retry it once the cause is mended"
        );
        let mut report = self.report(result, CommandState::Dead);
        report.change.tries = tries;
        report.change.note = Some(detail.clone());
        report.detail = Some(detail);
        report
    }

    /// Whether a call has had no answer, so that it may have been carried out.
    fn is_in_doubt(&self) -> bool {
        let mut attempts = self.job.command.attempts.iter();
        attempts.any(|attempt| attempt.result == Some(AttemptResult::Unknown))
    }

    /// The wait after the `tries`th attempt that counts; `None` once there is none left.
    fn wait_after(&self, tries: i64) -> Option<i64> {
        let schedule = &self.gate.settings.retry_schedule_ms;
        let index = usize::try_from(tries - 1).unwrap_or(0);
        schedule.get(index).copied()
    }

    /// Since when the provider has been failing, if it has and that is why the call failed. Attempts that
    /// an outage has taken do not count.
    fn outage(&self, error: &CallError) -> Option<Timestamp> {
        let told = matches!(
            error,
            CallError::Transient { .. } | CallError::Unknown { .. }
        );
        self.source.health().failing_since.filter(|_| told)
    }

    /// The attempts that count, without those that an outage has taken since then.
    fn tries_before(&self, outage: Timestamp) -> i64 {
        let command = &self.job.command;
        if command.note.is_some() {
            // They were taken off before.
            return command.tries;
        }
        let taken = command.attempts.iter().rev().take_while(|attempt| {
            attempt.started_at >= outage
                || attempt
                    .answered_at
                    .is_some_and(|answered_at| answered_at >= outage)
        });
        let failed = [AttemptResult::Transient, AttemptResult::Unknown].map(Some);
        let taken = taken.filter(|attempt| failed.contains(&attempt.result));
        let taken = i64::try_from(taken.count()).unwrap_or(i64::MAX);
        (command.tries - taken).max(0)
    }

    fn failed(&self, error: &CallError) -> AttemptReport {
        let now = self.gate.now();
        let detail = error.to_string();
        let outage = self.outage(error);
        let tries = match outage {
            Some(since) => self.tries_before(since),
            None => self.job.command.tries + 1,
        };
        let (result, http_status, mut due_at, retry) = match error {
            CallError::Limited { wait_ms } => {
                return self.wait(plus_ms(now, *wait_ms), "rate limit");
            }
            CallError::Away { wait_ms } => {
                let too_late = self.too_late(now).filter(|_| !self.is_in_doubt());
                return too_late.unwrap_or_else(|| self.wait(plus_ms(now, *wait_ms), OUTAGE));
            }
            CallError::Transient { http_status, .. } => {
                (AttemptResult::Transient, *http_status, now, true)
            }
            CallError::NotFound { http_status } => {
                (AttemptResult::Transient, Some(*http_status), now, true)
            }
            // A key that is refused is for the admin to mend; the booking should not die of it.
            CallError::Rejected { http_status, .. } => (
                AttemptResult::Rejected,
                Some(*http_status),
                now,
                matches!(http_status, 401 | 403),
            ),
            // Read it back as soon as the call cannot take effect any more.
            CallError::Unknown { http_status, .. } => {
                let grace = self.source.rules.attempt_grace_ms;
                let quiet = plus_ms(self.job.attempt.deadline_at, grace);
                (AttemptResult::Unknown, *http_status, quiet, true)
            }
        };
        let wait = match outage {
            Some(_) => Some(self.wait_for_provider(now)),
            None => self.wait_after(tries).filter(|_| retry),
        };
        let begun = self.job.start.filter(|start| *start <= now);
        match wait {
            // Even after the last one: reading it back tells whether it was done.
            _ if result == AttemptResult::Unknown => {}
            // What came of an earlier call may still be read; nothing else is done once it has begun.
            Some(_)
                if let Some(start) = begun
                    && !self.is_in_doubt() =>
            {
                let mut report = self.dead(result, tries, after_start(start, &detail));
                report.http_status = http_status;
                return report;
            }
            Some(wait) => {
                let again = plus_ms(now, wait);
                let start = self.job.start.filter(|start| *start > now);
                due_at = start.map_or(again, |start| again.min(start));
            }
            None => {
                let mut report = self.dead(result, tries, detail);
                report.http_status = http_status;
                return report;
            }
        }
        tracing::warn!(
            booking.r#ref = %format_args!("{}/{}", self.source.name, self.job.command.unit),
            command.id = %self.job.command.id,
            attempt = self.job.attempt.number,
            error = %detail,
            "attempt failed"
        );
        let mut report = self.report(result, CommandState::Open);
        report.http_status = http_status;
        report.change.due_at = due_at;
        report.change.tries = tries;
        report.change.note = outage.map(|_| OUTAGE.to_owned());
        report.detail = Some(detail);
        report
    }

    /// How long until a provider that is failing is looked at again, in ms.
    fn wait_for_provider(&self, now: Timestamp) -> i64 {
        let next = self.source.provider.next_call_at();
        next.map_or(0, |at| ms_between(now, at))
    }
}

/// Why a command is given up that could not be carried out before its booking began.
fn after_start(start: Timestamp, last: &str) -> String {
    format!("the booking began at {start}, so it is not tried again; last: {last}")
}
