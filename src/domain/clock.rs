//! Time as a parameter. Nothing but this file asks the machine, so tests own the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

pub use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The current time, UTC, to the microsecond.
    fn now(&self) -> Timestamp;

    /// Sets the clock, if it is one that has to be set ([`SteadyClock`]), and tells by how much, in
    /// milliseconds.
    fn set(&self, _by: Standard) -> i64 {
        0
    }
}

/// What a clock is set by.
#[derive(Debug, Clone, Copy)]
pub enum Standard {
    /// The machine's own clock.
    Machine,
    /// A clock elsewhere that was asked for the time.
    Elsewhere {
        /// When it was asked, by the clock to be set.
        asked_at: Timestamp,
        /// What it answered.
        answer: Timestamp,
        /// When its answer came, by the clock to be set.
        heard_at: Timestamp,
    },
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

/// The clock of a daemon. Between two settings it goes by what the machine counts and nobody can set
/// (`CLOCK_MONOTONIC`), so that a step of the machine's clock alone lets no lease run out, no deadline
/// pass and no retry wait. The daemon's heartbeat sets it: by the clock of the database server, if there
/// is one, because leases, deadlines and due times are compared between all instances; else by the
/// machine's clock. What it is set by is right, however far off it is: received webhooks, decisions and
/// signatures with a time in them need the true one.
///
/// What that does to times that were written down before, if the clock is set by an hour:
///
/// - *Leases in hand.* A worker never takes a chain over from itself, so where there is one daemon,
///   nothing happens. Several see the same step, but not at the same moment: whoever is first to put its
///   clock forward sees the leases of all others as run out, although their holders live, maybe in the
///   middle of a call. Therefore it takes nothing over until all others have had the time to put their
///   clocks forward as well and to renew (the gate's heartbeat sees to that). A clock that is put back
///   lengthens leases that are in hand; their holders renew them or give them back, by the new time. Only
///   one who dies in these very seconds leaves leases that are taken over late, by the size of the step.
/// - *Deadlines of calls* matter to a successor only, and there is none while the lease holds.
/// - *Due times.* A step forward lets retries that wait come too early, once each; they read the booking
///   before they act, as always. A step back lets them wait longer, by the size of the step at most,
///   unless a webhook or a person asks for them. Nothing is lost, and nothing is done twice.
///
/// A machine that slept counts as one whose clock was stepped forward: its leases have been taken over,
/// and their fences keep it from writing.
pub struct SteadyClock {
    /// What the machine counts, in microseconds.
    count_us: Box<dyn Fn() -> i64 + Send + Sync>,
    /// The machine's clock.
    machine: Box<dyn Clock>,
    /// What has to be added to the count to have the time, in microseconds.
    offset_us: AtomicI64,
}

impl SteadyClock {
    /// A clock that shows the machine's time now, and goes on steadily from there.
    pub fn start() -> Self {
        let started = Instant::now();
        let count_us = move || i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Self::on(Box::new(count_us), Box::new(SystemClock))
    }

    fn on(count_us: Box<dyn Fn() -> i64 + Send + Sync>, machine: Box<dyn Clock>) -> Self {
        let offset_us = machine.now().as_microsecond() - count_us();
        Self {
            count_us,
            machine,
            offset_us: AtomicI64::new(offset_us),
        }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        from_us((self.count_us)().saturating_add(self.offset_us.load(Ordering::SeqCst)))
    }

    fn set(&self, by: Standard) -> i64 {
        let step_us = match by {
            Standard::Machine => us_between(self.now(), self.machine.now()),
            Standard::Elsewhere {
                asked_at,
                answer,
                heard_at,
            } => {
                // The answer was true at some moment in between. A difference that this explains is
                // none.
                let doubt_us = us_between(asked_at, heard_at) / 2;
                let step_us = us_between(heard_at, answer) + doubt_us;
                if step_us.abs() <= doubt_us {
                    return 0;
                }
                step_us
            }
        };
        self.offset_us.fetch_add(step_us, Ordering::SeqCst);
        step_us / 1_000
    }
}

fn us_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.as_microsecond() - earlier.as_microsecond()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// A machine with a clock that people can set, and a count that they cannot.
    #[derive(Clone)]
    struct Machine {
        clock: Arc<ManualClock>,
        count_us: Arc<AtomicI64>,
    }

    impl Machine {
        fn new() -> (Self, SteadyClock) {
            let machine = Self {
                clock: Arc::new(ManualClock::new(start())),
                count_us: Arc::new(AtomicI64::new(777)),
            };
            let (clock, count_us) = (machine.clone(), machine.count_us.clone());
            let count_us = move || count_us.load(Ordering::SeqCst);
            (
                machine,
                SteadyClock::on(Box::new(count_us), Box::new(clock)),
            )
        }

        fn pass_ms(&self, ms: i64) {
            self.clock.advance_ms(ms);
            self.count_us.fetch_add(ms * 1_000, Ordering::SeqCst);
        }
    }

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            self.clock.now()
        }
    }

    fn start() -> Timestamp {
        "2027-03-01T10:00:00Z".parse().unwrap()
    }

    fn since_start_ms(clock: &impl Clock) -> i64 {
        ms_between(start(), clock.now())
    }

    #[test]
    fn a_step_of_the_machine_s_clock_shows_only_once_it_is_set() {
        for step_ms in [HOUR_MS, -HOUR_MS, 40, -40] {
            let (machine, clock) = Machine::new();
            machine.pass_ms(5);
            machine.clock.advance_ms(step_ms);
            machine.pass_ms(5);
            assert_eq!(since_start_ms(&clock), 10);
            assert_eq!(clock.set(Standard::Machine), step_ms);
            assert_eq!(since_start_ms(&clock), 10 + step_ms);
            assert_eq!(clock.set(Standard::Machine), 0);
        }
    }

    /// Asks a server for the time whose clock is ahead of ours, and takes as long either way.
    fn set_by_server(machine: &Machine, clock: &SteadyClock, ahead_ms: i64, way_ms: i64) -> i64 {
        let asked_at = clock.now();
        machine.pass_ms(way_ms);
        let answer = plus_ms(clock.now(), ahead_ms);
        machine.pass_ms(way_ms);
        clock.set(Standard::Elsewhere {
            asked_at,
            answer,
            heard_at: clock.now(),
        })
    }

    #[test]
    fn a_server_s_time_is_taken_with_half_the_way_there_and_back() {
        for ahead_ms in [HOUR_MS, -HOUR_MS, 11, -11] {
            let (machine, clock) = Machine::new();
            assert_eq!(set_by_server(&machine, &clock, ahead_ms, 10), ahead_ms);
            assert_eq!(since_start_ms(&clock), 20 + ahead_ms);
            assert_eq!(set_by_server(&machine, &clock, 0, 10), 0);
        }
    }

    #[test]
    fn a_difference_that_the_way_explains_is_none() {
        let (machine, clock) = Machine::new();
        for ahead_ms in [10, -10, 0] {
            assert_eq!(set_by_server(&machine, &clock, ahead_ms, 10), 0);
        }
        assert_eq!(since_start_ms(&clock), 60);
    }

    #[test]
    fn set_by_a_server_the_machine_s_clock_does_not_matter() {
        let (machine, clock) = Machine::new();
        machine.clock.advance_ms(HOUR_MS);
        assert_eq!(set_by_server(&machine, &clock, 0, 10), 0);
        assert_eq!(since_start_ms(&clock), 20);
    }

    #[test]
    fn the_real_one_shows_the_machine_s_time_and_never_goes_back_by_itself() {
        let (steady, machine) = (SteadyClock::start(), SystemClock);
        assert!(ms_between(steady.now(), machine.now()).abs() < 60_000);
        let mut last = steady.now();
        for _ in 0..1_000 {
            let now = steady.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn other_clocks_are_not_set() {
        let clock = ManualClock::new(start());
        assert_eq!(clock.set(Standard::Machine), 0);
        assert_eq!(clock.now(), start());
    }
}
