//! Keeps one source under the provider's rate limit: so many calls a minute, and none at all while
//! the provider asks for patience. Waiting costs no attempt.
//!
//! The rule is the generic cell rate algorithm over the crate's own [`Clock`], so that the time
//! told to a caller and the time it is scheduled by are the same.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::CallError;
use super::client::Effect;
use crate::domain::clock::{Clock, Timestamp, from_us};

/// Calls that may go at once after a quiet time.
pub const BURST_CALLS: i64 = 5;
/// The longest a caller is kept waiting before it is sent away, in milliseconds.
pub const WAIT_MS_MAX: i64 = 2_000;
/// The longest pause a provider can ask for, in milliseconds.
pub const PAUSE_MS_MAX: i64 = 15 * 60 * 1_000;

const MINUTE_US: i64 = 60 * 1_000_000;

/// The limiter of one source.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    /// Microseconds between calls at the steady rate; 0 switches the rate limit off (a pause still
    /// holds).
    interval_us: i64,
    state: Mutex<State>,
}

/// Both in microseconds since 1970.
#[derive(Default)]
struct State {
    /// When the calls so far will have used up their share: the "theoretical arrival time".
    spent_until_us: i64,
    /// Until when the provider asked for patience.
    paused_until_us: i64,
}

impl Limiter {
    /// Lets `requests_per_minute` calls through, and [`BURST_CALLS`] at once; 0 means no limit.
    pub fn new(requests_per_minute: u32, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            interval_us: MINUTE_US
                .checked_div(requests_per_minute.into())
                .unwrap_or(0),
            state: Mutex::default(),
        }
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
        self.interval_us / 1_000
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
        state.spent_until_us = state.spent_until_us.max(now_us) + self.interval_us;
        Ok(wait_us)
    }

    fn wait_us(&self, state: &State, effect: Effect, now_us: i64) -> i64 {
        let left_free = match effect {
            Effect::Read => 1,
            Effect::Change => 0,
        };
        let turn_us = state.spent_until_us - self.interval_us * (BURST_CALLS - 1 - left_free);
        (turn_us.max(state.paused_until_us) - now_us).max(0)
    }

    /// Times further ahead than this limiter ever sets them mean that the clock was put back; kept,
    /// they would block the source until it catches up.
    fn forget_the_future(&self, state: &mut State, now_us: i64) {
        let ahead_us_max = self.interval_us * BURST_CALLS + WAIT_MS_MAX * 1_000;
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
        // Two numbers, each valid at any moment: a panic elsewhere cannot have broken them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limited(wait_us: i64) -> CallError {
    CallError::Limited {
        wait_ms: (wait_us + 999) / 1_000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Effect::{Change, Read};
    use super::*;
    use crate::domain::clock::{ManualClock, ms_between};

    fn limiter(requests_per_minute: u32) -> (Limiter, Arc<ManualClock>) {
        let start = "2027-03-01T10:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        (Limiter::new(requests_per_minute, clock.clone()), clock)
    }

    #[test]
    fn a_burst_goes_at_once_then_one_per_interval() {
        let (limiter, clock) = limiter(60);
        for _ in 0..BURST_CALLS {
            assert_eq!(limiter.take(Change, 0), Ok(0));
        }
        assert_eq!(limiter.take(Change, 0), Err(1_000_000));
        clock.advance_ms(1_000);
        assert_eq!(limiter.take(Change, 0), Ok(0));
        assert_eq!(limiter.take(Change, 1_000_000), Ok(1_000_000));
        assert_eq!(limiter.take(Change, 1_000_000), Err(2_000_000));
    }

    #[test]
    fn reads_leave_a_turn_for_a_change() {
        let (limiter, clock) = limiter(60);
        for _ in 0..BURST_CALLS - 1 {
            assert_eq!(limiter.take(Read, 0), Ok(0));
        }
        assert_eq!(limiter.take(Read, 0), Err(1_000_000));
        assert_eq!(limiter.take(Change, 0), Ok(0));
        clock.advance_ms(1_000);
        assert_eq!(limiter.take(Read, 0), Err(1_000_000));
        assert_eq!(limiter.take(Change, 0), Ok(0));
    }

    #[test]
    fn zero_is_no_limit_but_a_pause_holds() {
        let (limiter, clock) = limiter(0);
        for _ in 0..1_000 {
            assert_eq!(limiter.take(Change, 0), Ok(0));
        }
        limiter.pause(3_000);
        limiter.pause(1_000);
        assert_eq!(limiter.take(Change, 0), Err(3_000_000));
        let next = limiter.next_call_at().unwrap();
        assert_eq!(ms_between(clock.now(), next), 3_000);
        clock.advance_ms(3_000);
        assert_eq!(limiter.next_call_at(), None);
        assert_eq!(limiter.take(Change, 0), Ok(0));
    }

    #[test]
    fn a_clock_put_back_does_not_block() {
        let (limiter, clock) = limiter(60);
        limiter.pause(PAUSE_MS_MAX);
        for _ in 0..BURST_CALLS {
            let _ = limiter.take(Change, i64::MAX);
        }
        clock.advance_ms(-24 * 60 * 60 * 1_000);
        assert_eq!(limiter.next_call_at(), None);
        assert_eq!(limiter.take(Change, 0), Ok(0));
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_when() {
        let (limiter, _clock) = limiter(10);
        let deadline = Instant::now() + Duration::from_secs(60);
        for _ in 0..BURST_CALLS {
            limiter.acquire(Change, deadline).await.unwrap();
        }
        let refused = limiter.acquire(Change, deadline).await.unwrap_err();
        assert_eq!(refused, CallError::Limited { wait_ms: 6_000 });
        // Being refused takes no turn.
        assert_eq!(limiter.take(Change, 0), Err(6_000_000));
    }

    proptest! {
        /// In no minute more calls than the rate and the burst allow.
        #[test]
        fn never_more_than_the_rate(
            rate in 1_u32..300,
            steps in proptest::collection::vec((0_i64..2_000, prop_oneof![Just(Read), Just(Change)]), 1..400),
        ) {
            let (limiter, clock) = limiter(rate);
            let mut taken = Vec::new();
            for (step, effect) in steps {
                clock.advance_ms(step);
                if limiter.take(effect, 0).is_ok() {
                    taken.push(clock.now());
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let in_minute = taken[index..]
                    .iter()
                    .filter(|at| ms_between(*first, **at) < 60_000)
                    .count();
                prop_assert!(in_minute as i64 <= i64::from(rate) + BURST_CALLS);
            }
        }
    }
}
