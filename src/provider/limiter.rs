//! Keeps one source under the provider's rate limit: so many calls a minute, and none at all while
//! the provider asks for patience. Waiting costs no attempt.
//!
//! In no minute more calls go than the provider allows: what may go at once after a quiet time is
//! taken off the steady rate. Where several instances call for one source, each keeps to a share, so
//! that all together stay below the limit without asking each other:
//!
//! - the steady rate is what the limit leaves beside all bursts, and each has an equal part of it;
//! - the burst is divided too, but is never less than [`BURST_CALLS_MIN`], a read and the change that
//!   follows it. Therefore more instances than a quarter of the limit can exceed it, by two calls each
//!   at the most;
//! - when their number changes, each learns of it at its next heartbeat. In the minutes around that,
//!   the sum can exceed the limit by the share of who came or went.
//!
//! The rule is the generic cell rate algorithm over the crate's own [`Clock`], so that the time
//! told to a caller and the time it is scheduled by are the same.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::CallError;
use super::client::Effect;
use crate::domain::clock::{Clock, Timestamp, from_us};

/// Calls that may go at once after a quiet time, at the most: fewer where the limit is low or shared.
pub const BURST_CALLS: i64 = 5;
/// As [`BURST_CALLS`], at the least.
pub const BURST_CALLS_MIN: i64 = 2;
/// The longest a caller is kept waiting before it is sent away, in milliseconds.
pub const WAIT_MS_MAX: i64 = 2_000;
/// The longest pause a provider can ask for, in milliseconds.
pub const PAUSE_MS_MAX: i64 = 15 * 60 * 1_000;

const MINUTE_US: i64 = 60 * 1_000_000;

/// The limiter of one source.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    requests_per_minute: u32,
    state: Mutex<State>,
}

/// Times in microseconds since 1970.
struct State {
    share: Share,
    /// When the calls so far will have used up their share: the "theoretical arrival time".
    spent_until_us: i64,
    /// Until when the provider asked for patience.
    paused_until_us: i64,
}

/// One instance's share of the limit.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// Microseconds between calls at the steady rate; 0 switches the rate limit off (a pause still
    /// holds).
    interval_us: i64,
    /// Calls that may go at once.
    burst_calls: i64,
}

impl Share {
    fn of(requests_per_minute: u32, instances: u32) -> Self {
        let (limit, instances) = (i64::from(requests_per_minute), i64::from(instances.max(1)));
        let burst_calls = (BURST_CALLS / instances)
            .min(limit / 4 / instances)
            .max(BURST_CALLS_MIN);
        // Where the bursts alone would use up the limit, half of it is left to the steady rate: an
        // instance that may not call at all could not finish what it holds.
        let steady_twice = (2 * (limit - instances * burst_calls)).max(limit);
        let interval_us = (2 * MINUTE_US * instances + steady_twice - 1).checked_div(steady_twice);
        Self {
            interval_us: interval_us.unwrap_or(0),
            burst_calls,
        }
    }
}

impl Limiter {
    /// Lets `requests_per_minute` calls through in any minute; 0 means no limit.
    pub fn new(requests_per_minute: u32, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            requests_per_minute,
            state: Mutex::new(State {
                share: Share::of(requests_per_minute, 1),
                spent_until_us: 0,
                paused_until_us: 0,
            }),
        }
    }

    /// Keeps to one of so many shares of the limit from now on.
    pub fn share(&self, instances: u32) {
        let share = Share::of(self.requests_per_minute, instances);
        let now_us = self.now_us();
        let mut state = self.state();
        self.forget_the_future(&mut state, now_us);
        // The calls that went still count as so many, however long each does from now on.
        let ahead_us = (state.spent_until_us - now_us).max(0);
        let scaled = i128::from(ahead_us) * i128::from(share.interval_us);
        let ahead_us = scaled / i128::from(state.share.interval_us.max(1));
        state.spent_until_us = now_us.saturating_add(i64::try_from(ahead_us).unwrap_or(i64::MAX));
        state.share = share;
    }

    /// Waits for a turn, a read for one that leaves another free: a change is only made right after a
    /// read, and where reads could take every turn, many bookings would be read for ever and none of
    /// them answered. Waits at most [`WAIT_MS_MAX`], and at most half of what is left until
    /// `deadline`, so that the call itself has time.
    ///
    /// # Errors
    /// [`CallError::Limited`] if the turn comes later than that; then none was taken.
    pub async fn acquire(&self, effect: Effect, deadline: Instant) -> Result<(), CallError> {
        let half = deadline.saturating_duration_since(Instant::now()) / 2;
        let patience_us = i64::try_from(half.as_micros())
            .unwrap_or(i64::MAX)
            .min(WAIT_MS_MAX * 1_000);
        let wait_us = self.take(effect, patience_us).map_err(limited)?;
        if wait_us > 0 {
            tokio::time::sleep(Duration::from_micros(wait_us.unsigned_abs())).await;
            // Another caller may have been told to wait in the meantime.
            let paused_us = self.state().paused_until_us - self.now_us();
            if paused_us > 0 {
                return Err(limited(paused_us));
            }
        }
        Ok(())
    }

    /// The provider asked for patience: no call for `wait_ms`. The longest such wish wins.
    pub fn pause(&self, wait_ms: i64) {
        let until_us = self.now_us() + wait_ms.clamp(0, PAUSE_MS_MAX) * 1_000;
        let mut state = self.state();
        state.paused_until_us = state.paused_until_us.max(until_us);
    }

    /// When the next read may go, with which every step begins; `None` if now.
    pub fn next_call_at(&self) -> Option<Timestamp> {
        let now_us = self.now_us();
        let mut state = self.state();
        self.forget_the_future(&mut state, now_us);
        let wait_us = self.wait_us(&state, Effect::Read, now_us);
        (wait_us > 0).then(|| from_us(now_us + wait_us))
    }

    /// Milliseconds between calls at the steady rate; 0 if there is no limit.
    pub fn interval_ms(&self) -> i64 {
        self.state().share.interval_us / 1_000
    }

    /// Takes the next turn if it comes within `patience_us`; gives the wait either way.
    fn take(&self, effect: Effect, patience_us: i64) -> Result<i64, i64> {
        let now_us = self.now_us();
        let mut state = self.state();
        self.forget_the_future(&mut state, now_us);
        let wait_us = self.wait_us(&state, effect, now_us);
        if wait_us > patience_us {
            return Err(wait_us);
        }
        state.spent_until_us = state.spent_until_us.max(now_us) + state.share.interval_us;
        Ok(wait_us)
    }

    fn wait_us(&self, state: &State, effect: Effect, now_us: i64) -> i64 {
        let left_free = match effect {
            Effect::Read => 1,
            Effect::Change => 0,
        };
        let Share {
            interval_us,
            burst_calls,
        } = state.share;
        let turn_us = state.spent_until_us - interval_us * (burst_calls - 1 - left_free);
        (turn_us.max(state.paused_until_us) - now_us).max(0)
    }

    /// Times further ahead than this limiter ever sets them mean that the clock was put back; kept,
    /// they would block the source until it catches up.
    fn forget_the_future(&self, state: &mut State, now_us: i64) {
        let ahead_us_max = state.share.interval_us * BURST_CALLS + WAIT_MS_MAX * 1_000;
        if state.spent_until_us - now_us > ahead_us_max {
            state.spent_until_us = now_us;
        }
        if state.paused_until_us - now_us > PAUSE_MS_MAX * 1_000 {
            state.paused_until_us = now_us;
        }
    }

    fn now_us(&self) -> i64 {
        self.clock.now().as_microsecond()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers, each valid at any moment: a panic elsewhere cannot have broken them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limited(wait_us: i64) -> CallError {
    CallError::Limited {
        wait_ms: (wait_us + 999) / 1_000,
    }
}
