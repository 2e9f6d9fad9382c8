//! Notices that one source's provider is failing, and keeps calls away from it until it answers again: a
//! circuit breaker. So many failures in a row that tell of the provider and not of one booking (no
//! connection, no answer, 5xx, a page for people instead of JSON) open it. Then one call at a time is let
//! through to see, after a wait that doubles up to its bound; the first answer closes it.
//!
//! Reads and changes are looked at apart, because a provider may well show what it does not let be
//! changed. Every 4xx is an answer. A 429 tells nothing: the limiter sees to it. A 500 may be the fault of
//! what was asked for: however often one booking alone meets it, the provider is not failing.
//!
//! Each daemon finds out by itself, since the way to the provider is part of what may be broken.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::CallError;
use super::client::Effect;
use crate::domain::clock::{Clock, Timestamp, ms_between, plus_ms};

/// How long to wait, in ms, while a call is out to see whether the provider is back: longer than an
/// attempt would wait inside.
const PROBE_LOOK_MS: i64 = 2_000;
/// The status of a server that did not expect what it was asked for.
const INTERNAL_ERROR: u16 = 500;

/// When a circuit opens, and how long it stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitSettings {
    /// Failures in a row that open it; 0 is never.
    pub failures_max: u32,
    /// The wait before the first call that is let through, in ms. Up to a fifth is added or taken off,
    /// so that several daemons do not come at once.
    pub wait_ms: i64,
    /// What that wait doubles up to, in ms.
    pub wait_ms_max: i64,
}

impl CircuitSettings {
    /// A circuit that never opens: for whoever makes few calls and sees himself how they end.
    pub const NEVER: Self = Self {
        failures_max: 0,
        wait_ms: 1,
        wait_ms_max: 1,
    };
}

/// How a source's provider was found. A new number is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Goes up when the provider answers for the first time, when the circuit opens, when it stays open
    /// after a look, and when it closes; 0 before any of that.
    pub number: u64,
    /// Since when the provider has been failing, while the circuit is open.
    pub failing_since: Option<Timestamp>,
    /// The HTTP status of the last failure, if it had one.
    pub http_status: Option<u16>,
}

/// The circuit of one source.
pub struct Circuit {
    clock: Arc<dyn Clock>,
    settings: CircuitSettings,
    sides: Mutex<[Side; 2]>,
    /// Until when an attempt that was let through may yet make its calls.
    attempt_until: Mutex<Timestamp>,
    health: watch::Sender<Health>,
}

/// What is known of reads, or of changes.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    /// Failures in a row.
    failures: u32,
    /// What the first of them was about.
    subject: Option<u64>,
    /// Whether one of them cannot be the fault of that alone.
    is_general: bool,
    /// When the first of them ended.
    failing_since: Option<Timestamp>,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    wait_ms: i64,
    /// When the next call is let through.
    until: Timestamp,
    /// Whether that call is out.
    probing: bool,
}

/// What the end of a call tells of the provider.
enum Told {
    Well,
    Failing(Option<u16>),
    Nothing,
}

/// The right to one call. Whoever gives it up without an end has learned nothing.
pub(super) struct Permit<'c> {
    circuit: &'c Circuit,
    effect: Effect,
    subject: u64,
    probe: bool,
}

impl Circuit {
    /// A closed circuit.
    pub fn new(settings: CircuitSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            settings,
            sides: Mutex::default(),
            attempt_until: Mutex::new(Timestamp::MIN),
            health: watch::Sender::default(),
        }
    }

    /// How the provider was found last, now and whenever that changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// When the next read and change will be let through; `None` if now.
    pub fn next_call_at(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        let waits = self.sides().map(|side| side.wait_ms(now));
        let wait_ms = waits.into_iter().flatten().max()?;
        Some(plus_ms(now, wait_ms))
    }

    /// Takes the right to an attempt, which reads and then changes: one at a time while the provider is
    /// failing. Gives when to ask again, if there is none to be had.
    pub fn take_attempt(&self) -> Option<Timestamp> {
        failing_since(&self.sides())?;
        if let Some(at) = self.next_call_at() {
            return Some(at);
        }
        let now = self.clock.now();
        let mut until = self
            .attempt_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if (1..=PROBE_LOOK_MS).contains(&ms_between(now, *until)) {
            return Some(*until);
        }
        *until = plus_ms(now, PROBE_LOOK_MS);
        None
    }

    /// Whether a call may go, as far as can be told without asking for the right to it.
    pub(super) fn look(&self, effect: Effect) -> Result<(), CallError> {
        let wait_ms = self.sides()[side_of(effect)].wait_ms(self.clock.now());
        wait_ms.map_or(Ok(()), |wait_ms| Err(CallError::Away { wait_ms }))
    }

    /// Takes the right to a call about `subject`: what it asks for, hashed.
    pub(super) fn begin(&self, effect: Effect, subject: u64) -> Result<Permit<'_>, CallError> {
        let now = self.clock.now();
        let side = &mut self.sides()[side_of(effect)];
        if let Some(wait_ms) = side.wait_ms(now) {
            return Err(CallError::Away { wait_ms });
        }
        let probe = side.open.is_some();
        if let Some(open) = &mut side.open {
            open.probing = true;
        }
        Ok(Permit {
            circuit: self,
            effect,
            subject,
            probe,
        })
    }

    fn well(&self, effect: Effect) {
        let mut sides = self.sides();
        let was_open = failing_since(&sides);
        sides[side_of(effect)] = Side::default();
        if effect == Effect::Change {
            // Who changes can be read.
            *sides = [Side::default(); 2];
        }
        let is_open = failing_since(&sides);
        if was_open != is_open || self.health.borrow().number == 0 {
            self.publish(is_open, None);
        }
    }

    fn failed(&self, permit: &Permit<'_>, http_status: Option<u16>) {
        let now = self.clock.now();
        let mut sides = self.sides();
        let side = &mut sides[side_of(permit.effect)];
        side.failures = side.failures.saturating_add(1);
        side.failing_since.get_or_insert(now);
        let first = *side.subject.get_or_insert(permit.subject);
        side.is_general |= first != permit.subject || http_status != Some(INTERNAL_ERROR);
        let wait_ms = match side.open {
            None if self.opens_after(side) => self.settings.wait_ms,
            Some(open) if permit.probe => (open.wait_ms * 2).min(self.settings.wait_ms_max),
            // Not yet; or it began before the circuit was opened.
            None | Some(_) => return,
        };
        side.open = Some(Open {
            wait_ms,
            until: plus_ms(now, spread(wait_ms, now)),
            probing: false,
        });
        self.publish(failing_since(&sides), http_status);
    }

    fn opens_after(&self, side: &Side) -> bool {
        let enough = self.settings.failures_max > 0 && side.failures >= self.settings.failures_max;
        enough && side.is_general
    }

    fn publish(&self, failing_since: Option<Timestamp>, http_status: Option<u16>) {
        self.health.send_modify(|health| {
            *health = Health {
                number: health.number + 1,
                failing_since,
                http_status,
            };
        });
    }

    fn sides(&self) -> MutexGuard<'_, [Side; 2]> {
        // Each change leaves them whole: a panic elsewhere cannot have broken them.
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Side {
    fn wait_ms(&self, now: Timestamp) -> Option<i64> {
        let open = self.open?;
        if open.probing {
            return Some(PROBE_LOOK_MS);
        }
        // Further ahead than it was ever set means that the clock was put back.
        let wait_ms = ms_between(now, open.until);
        (1..=open.wait_ms * 2).contains(&wait_ms).then_some(wait_ms)
    }
}

impl Permit<'_> {
    /// The call came to its end.
    pub(super) fn end<T>(mut self, outcome: &Result<T, CallError>) {
        match told(outcome) {
            Told::Well => self.circuit.well(self.effect),
            Told::Failing(status) => self.circuit.failed(&self, status),
            Told::Nothing => return,
        }
        self.probe = false;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe
            && let Some(open) = &mut self.circuit.sides()[side_of(self.effect)].open
        {
            open.probing = false;
        }
    }
}

fn side_of(effect: Effect) -> usize {
    match effect {
        Effect::Read => 0,
        Effect::Change => 1,
    }
}

fn failing_since(sides: &[Side; 2]) -> Option<Timestamp> {
    let open = sides.iter().filter(|side| side.open.is_some());
    open.filter_map(|side| side.failing_since).min()
}

fn told<T>(outcome: &Result<T, CallError>) -> Told {
    match outcome {
        Ok(_) | Err(CallError::Rejected { .. } | CallError::NotFound { .. }) => Told::Well,
        Err(CallError::Transient { http_status, .. } | CallError::Unknown { http_status, .. }) => {
            Told::Failing(*http_status)
        }
        Err(CallError::Limited { .. } | CallError::Away { .. }) => Told::Nothing,
    }
}

/// A wait with up to a fifth added or taken off, by the moment: no two daemons meet the same microsecond.
pub(super) fn spread(wait_ms: i64, now: Timestamp) -> i64 {
    let mixed = now
        .as_microsecond()
        .wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    let per_mille = (mixed.cast_unsigned() >> 40) % 401;
    let per_mille = i64::try_from(per_mille).unwrap_or(0) - 200;
    (wait_ms + wait_ms * per_mille / 1_000).max(1)
}
