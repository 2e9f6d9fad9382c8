//! Slows down those who try tokens out. Each wrong one from an address is answered later than the one
//! before, and after so many none is looked at for a while. A right token is let in at any time, at once:
//! behind a proxy all have one address, and nobody may lock the others out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::domain::clock::{Timestamp, ms_between};
use crate::gate::Gate;

/// After so long without a wrong token those from an address are forgotten, in ms.
const FORGOTTEN_AFTER_MS: i64 = 15 * 60_000;
/// The longest that the answer to a wrong token is kept back, in ms.
const DELAY_MS_MAX: u64 = 5_000;
/// Addresses remembered; who is furthest back is forgotten for a new one.
const ADDRESSES_MAX: usize = 4_096;
/// Answers kept back at the same time; wrong tokens beyond are refused at once.
const WAITING_MAX: usize = 64;
/// What a client is asked to wait if too many answers are kept back, in seconds.
const BUSY_RETRY_AFTER_S: i64 = 5;
/// The part of an IPv6 address that is one customer's.
const IPV6_PREFIX: u128 = !((1 << 64) - 1);

/// How those who try tokens out are slowed down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogInSettings {
    /// Wrong tokens from one address after which none is looked at for a while.
    pub failed_max: u32,
    /// How long the answer to the first is kept back, in ms; twice as long for each that follows.
    pub delay_ms: u64,
}

/// What became of a wrong token. Either way it is one, and was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was kept waiting and may be answered now.
    Waited,
    /// There were too many.
    TooMany {
        /// When to try again, in seconds.
        retry_after_s: i64,
    },
}

/// Wrong tokens by where they came from.
#[derive(Debug)]
pub(super) struct LogIns {
    settings: LogInSettings,
    delay_max: Duration,
    failed: Mutex<HashMap<IpAddr, Failed>>,
    waiting: Semaphore,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    count: u32,
    last: Timestamp,
}

/// What is done about a wrong token.
#[derive(Debug, PartialEq, Eq)]
enum Measure {
    Wait(Duration),
    Refuse { retry_after_s: i64 },
}

impl LogIns {
    /// `request_timeout` is how long a request may take in all: what is kept back has to be answered
    /// within.
    pub(super) fn new(settings: LogInSettings, request_timeout: Duration) -> Self {
        Self {
            settings,
            delay_max: Duration::from_millis(DELAY_MS_MAX).min(request_timeout / 2),
            failed: Mutex::default(),
            waiting: Semaphore::new(WAITING_MAX),
        }
    }

    /// Counts a wrong token, and keeps its answer back.
    pub(super) async fn failed(&self, gate: &Gate, from: IpAddr) -> Refused {
        let delay = match self.measure(from, gate.now()) {
            Measure::Refuse { retry_after_s } => {
                gate.log_in_failed("refused");
                tracing::debug!(client.ip = %from, "wrong token: refused unseen");
                return Refused::TooMany { retry_after_s };
            }
            Measure::Wait(delay) => delay,
        };
        let Ok(_permit) = self.waiting.try_acquire() else {
            gate.log_in_failed("refused");
            tracing::warn!(client.ip = %from, "wrong token: refused at once, too many wait already");
            let retry_after_s = BUSY_RETRY_AFTER_S;
            return Refused::TooMany { retry_after_s };
        };
        gate.log_in_failed("delayed");
        let delay_ms = delay.as_millis();
        tracing::warn!(client.ip = %from, delay_ms, "wrong token for the admin endpoint");
        tokio::time::sleep(delay).await;
        Refused::Waited
    }

    /// A right token does not clear the slate: else whoever shares an address with one who has it could
    /// go on trying.
    fn measure(&self, from: IpAddr, now: Timestamp) -> Measure {
        let mut all = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let from = customer(from);
        if all.len() >= ADDRESSES_MAX && !all.contains_key(&from) {
            make_room(&mut all, now);
        }
        let fresh = Failed {
            count: 0,
            last: now,
        };
        let failed = all.entry(from).or_insert(fresh);
        if is_forgotten(failed, now) {
            *failed = fresh;
        }
        if failed.count >= self.settings.failed_max {
            let left_ms = FORGOTTEN_AFTER_MS - ms_between(failed.last, now);
            let retry_after_s = left_ms / 1_000 + 1;
            return Measure::Refuse { retry_after_s };
        }
        let doubled = 1_u64.checked_shl(failed.count).unwrap_or(u64::MAX);
        let delay_ms = self.settings.delay_ms.saturating_mul(doubled);
        *failed = Failed {
            count: failed.count + 1,
            last: now,
        };
        Measure::Wait(Duration::from_millis(delay_ms).min(self.delay_max))
    }
}

fn is_forgotten(failed: &Failed, now: Timestamp) -> bool {
    ms_between(failed.last, now) >= FORGOTTEN_AFTER_MS
}

fn make_room(all: &mut HashMap<IpAddr, Failed>, now: Timestamp) {
    all.retain(|_, failed| !is_forgotten(failed, now));
    if all.len() >= ADDRESSES_MAX {
        let furthest_back = all.iter().min_by_key(|(_, failed)| failed.last);
        if let Some(from) = furthest_back.map(|(from, _)| *from) {
            all.remove(&from);
        }
    }
}

/// Who has one IPv6 address mostly has 2^64 of them.
fn customer(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(from) => Ipv6Addr::from_bits(from.to_bits() & IPV6_PREFIX).into(),
        from @ IpAddr::V4(_) => from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::plus_ms;

    const SETTINGS: LogInSettings = LogInSettings {
        failed_max: 4,
        delay_ms: 100,
    };

    fn log_ins() -> LogIns {
        LogIns::new(SETTINGS, Duration::from_secs(10))
    }

    fn at(ms: i64) -> Timestamp {
        plus_ms("2027-03-01T12:00:00Z".parse().unwrap(), ms)
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn wait(ms: u64) -> Measure {
        Measure::Wait(Duration::from_millis(ms))
    }

    #[test]
    fn each_wrong_one_waits_twice_as_long_until_there_are_too_many() {
        let log_ins = log_ins();
        for ms in [100, 200, 400, 800] {
            assert_eq!(log_ins.measure(address(1), at(0)), wait(ms));
        }
        let retry_after_s = 601;
        let refused = Measure::Refuse { retry_after_s };
        assert_eq!(log_ins.measure(address(1), at(300_000)), refused);
        assert_eq!(
            log_ins.measure(address(2), at(300_000)),
            wait(100),
            "others are not meant"
        );
        assert_eq!(
            log_ins.measure(address(1), at(FORGOTTEN_AFTER_MS)),
            wait(100),
            "what was refused unseen does not count"
        );
    }

    #[test]
    fn nobody_waits_longer_than_a_request_may_take() {
        let endless = LogInSettings {
            failed_max: u32::MAX,
            delay_ms: 1_000,
        };
        let longest = |timeout_s, expected| {
            let log_ins = LogIns::new(endless, Duration::from_secs(timeout_s));
            let last = (0..100).map(|_| log_ins.measure(address(1), at(0))).last();
            assert_eq!(last, Some(wait(expected)));
        };
        longest(60, DELAY_MS_MAX);
        longest(4, 2_000);
    }

    #[test]
    fn the_addresses_of_one_customer_are_one() {
        let log_ins = log_ins();
        let ms = |text: &str| match log_ins.measure(text.parse().unwrap(), at(0)) {
            Measure::Wait(delay) => delay.as_millis(),
            Measure::Refuse { .. } => 0,
        };
        assert_eq!((ms("2001:db8::1"), ms("2001:db8::ffff:2")), (100, 200));
        assert_eq!(ms("2001:db8:0:1::1"), 100);
        assert_eq!((ms("192.0.2.1"), ms("::ffff:192.0.2.1")), (100, 200));
    }

    #[test]
    fn however_many_addresses_there_are_memory_has_an_end() {
        let log_ins = log_ins();
        let many = u32::try_from(ADDRESSES_MAX).unwrap() + 100;
        for number in 0..many {
            log_ins.measure(address(number), at(i64::from(number)));
        }
        assert_eq!(log_ins.failed.lock().unwrap().len(), ADDRESSES_MAX);
        let last = i64::from(many);
        assert_eq!(log_ins.measure(address(many - 1), at(last)), wait(200));
        assert_eq!(log_ins.measure(address(0), at(last)), wait(100));
        log_ins.measure(address(0), at(last + FORGOTTEN_AFTER_MS));
        log_ins.measure(address(u32::MAX), at(last + FORGOTTEN_AFTER_MS));
        assert_eq!(log_ins.failed.lock().unwrap().len(), 2);
    }
}
