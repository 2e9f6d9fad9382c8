//! One source's calls in time, by one instance and by several.

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
    let (limiter, clock) = limiter(65);
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
    let (limiter, clock) = limiter(65);
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
    let (limiter, clock) = limiter(65);
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
    let (limiter, _clock) = limiter(15);
    let deadline = Instant::now() + Duration::from_secs(60);
    for _ in 0..3 {
        limiter.acquire(Change, deadline).await.unwrap();
    }
    let refused = limiter.acquire(Change, deadline).await.unwrap_err();
    assert_eq!(refused, CallError::Limited { wait_ms: 5_000 });
    // Being refused takes no turn.
    assert_eq!(limiter.take(Change, 0), Err(5_000_000));
}

#[test]
fn shares_are_equal_and_make_up_the_limit() {
    let shared = |rate, instances| {
        let share = Share::of(rate, instances);
        (share.interval_us, share.burst_calls)
    };
    // Beside bursts of 5, a limit of 65 leaves 60 a minute.
    assert_eq!(shared(65, 1), (1_000_000, 5));
    // Bursts of 2 each: 4, 6 and 20 of the limit.
    assert_eq!(shared(64, 2), (2_000_000, 2));
    assert_eq!(shared(66, 3), (3_000_000, 2));
    assert_eq!(shared(80, 10), (10_000_000, 2));
    // Low limits, and more instances than calls: none is left without.
    assert_eq!(shared(6, 1), (15_000_000, 2));
    assert_eq!(shared(1, 1), (120_000_000, 2));
    assert_eq!(shared(1, 3), (360_000_000, 2));
    assert_eq!(shared(120, 0), shared(120, 1));
    assert_eq!(shared(0, 1).0, 0);
    assert_eq!(shared(0, 7).0, 0, "no limit stays none");
}

#[test]
fn a_smaller_share_holds_from_the_next_call_on() {
    let (limiter, clock) = limiter(64);
    limiter.share(2);
    assert_eq!(limiter.interval_ms(), 2_000);
    assert_eq!(limiter.take(Read, 0), Ok(0));
    assert_eq!(limiter.take(Change, 0), Ok(0));
    assert_eq!(limiter.take(Change, 0), Err(2_000_000));
    // Two calls stay two calls.
    limiter.share(10);
    assert_eq!(limiter.take(Change, 0), Err(13_636_364));
    clock.advance_ms(27_273);
    limiter.share(1);
    assert_eq!(limiter.take(Read, 0), Ok(0));
}

/// Calls of several instances on one clock.
struct Calls {
    clock: Arc<ManualClock>,
    limiters: Vec<Limiter>,
    at: Vec<Timestamp>,
}

impl Calls {
    fn of(rate: u32, instances: u32) -> Self {
        let (first, clock) = limiter(rate);
        let others = (1..instances).map(|_| Limiter::new(rate, clock.clone()));
        let limiters = std::iter::once(first).chain(others).collect();
        let calls = Self {
            clock,
            limiters,
            at: Vec::new(),
        };
        calls.limiters.iter().for_each(|each| each.share(instances));
        calls
    }

    fn attempt(&mut self, step_ms: i64, who: usize, effect: Effect) {
        self.clock.advance_ms(step_ms);
        if self.limiters[who % self.limiters.len()]
            .take(effect, 0)
            .is_ok()
        {
            self.at.push(self.clock.now());
        }
    }

    fn most_in_a_minute(&self) -> usize {
        let from = |(index, first): (usize, &Timestamp)| {
            let later = self.at[index..].iter();
            later
                .take_while(|at| ms_between(*first, **at) < 60_000)
                .count()
        };
        self.at.iter().enumerate().map(from).max().unwrap_or(0)
    }
}

fn steps() -> impl Strategy<Value = Vec<(i64, usize, Effect)>> {
    let step = (
        0_i64..1_000,
        0_usize..64,
        prop_oneof![Just(Read), Just(Change)],
    );
    proptest::collection::vec(step, 1..400)
}

proptest! {
    /// In no minute do all instances together make more calls than the limit, unless there are so
    /// many that their reads alone, and the changes that follow, are half of it.
    #[test]
    fn never_more_than_the_limit(
        rate in 1_u32..300,
        instances in 1_u32..9,
        steps in steps(),
    ) {
        let mut calls = Calls::of(rate, instances);
        for (step_ms, who, effect) in steps {
            calls.attempt(step_ms, who, effect);
        }
        let too_many = if 4 * instances > rate { 2 * instances } else { 0 };
        prop_assert!(calls.most_in_a_minute() <= (rate + too_many) as usize);
    }

    /// Around the moment when one more comes, it is its share more at the most.
    #[test]
    fn who_comes_adds_no_more_than_its_share(
        rate in 40_u32..300,
        before in 1_u32..6,
        steps in steps(),
        learned in 0_usize..400,
    ) {
        let mut calls = Calls::of(rate, before);
        let newcomer = Limiter::new(rate, calls.clock.clone());
        newcomer.share(before + 1);
        calls.limiters.push(newcomer);
        for (index, (step_ms, who, effect)) in steps.into_iter().enumerate() {
            if index == learned {
                calls.limiters.iter().for_each(|each| each.share(before + 1));
            }
            calls.attempt(step_ms, who, effect);
        }
        let share = rate.div_ceil(before + 1);
        prop_assert!(calls.most_in_a_minute() <= (rate + share) as usize);
    }
}
