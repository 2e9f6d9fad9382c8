//! Time as a parameter. Nothing but [`SystemClock`] asks the machine, so tests own the time.

use std::sync::atomic::{AtomicI64, Ordering};

pub use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The current time, UTC, to the microsecond.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the machine"
    )]
    fn now(&self) -> Timestamp {
        from_us(Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until it is told to move: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_microsecond()))
    }

    /// Moves the clock by `ms` milliseconds, backwards if negative.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms * 1_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_us(self.0.load(Ordering::SeqCst))
    }
}

/// A time from microseconds since 1970 UTC, as the database stores it. Values out of range become
/// the nearest time there is.
pub fn from_us(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// `time` plus `ms` milliseconds, saturating at the ends of time.
pub fn plus_ms(time: Timestamp, ms: i64) -> Timestamp {
    from_us(
        time.as_microsecond()
            .saturating_add(ms.saturating_mul(1_000)),
    )
}

/// Milliseconds from `earlier` to `later`, negative if they are the other way round.
pub fn ms_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.as_millisecond() - earlier.as_millisecond()
}
