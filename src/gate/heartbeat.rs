//! The heartbeat of an instance: a row in the store that says that it lives. With it goes what depends
//! on the others and on the time: each source's share of its rate limit, and the daemon's clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Inner;
use super::error::put_off;
use crate::domain::clock::{Clock, Standard, Timestamp, plus_ms};
use crate::storage::records::Instance;
use crate::storage::{Storage, StorageError};

/// Beats within the time that a lease lasts: two may be missed.
const BEATS_PER_LEASE: i64 = 3;
/// How long a dead instance is still listed, in ms.
const LISTED_MS: i64 = 24 * 60 * 60 * 1_000;
/// A clock that is set by less is not worth a word, in ms.
const STEP_MS: i64 = 500;
/// After the clock was put forward: beats until every other instance that lives has put its own forward
/// at its next beat, and its workers have then renewed their leases, which they do as often as it beats.
const BEATS_WITHOUT_TAKEOVER: u32 = 3;
/// How long to wait before the first beat is tried again, in ms.
const RETRY_MS: u64 = 1_000;

/// Whether an instance that was last seen at `seen_at` lives. One that was seen in the future lived
/// before the clock was put back, and says so again very soon if it still does.
pub(super) fn is_alive(seen_at: Timestamp, now: Timestamp, lease_ms: i64) -> bool {
    let (after, before) = lifetime(now, lease_ms);
    after < seen_at && seen_at < before
}

fn lifetime(now: Timestamp, lease_ms: i64) -> (Timestamp, Timestamp) {
    (plus_ms(now, -lease_ms), plus_ms(now, lease_ms))
}

/// Sets a clock by the one that all instances on this store go by (see
/// [`SteadyClock`](crate::domain::clock::SteadyClock)), and gives the size of the step in ms.
///
/// # Errors
/// The store does not answer; then the clock goes on as it is.
pub async fn set_clock(storage: &Storage, clock: &dyn Clock) -> Result<i64, StorageError> {
    let asked_at = clock.now();
    let answer = storage.time().await?;
    let step_ms = clock.set(
        answer.map_or(Standard::Machine, |answer| Standard::Elsewhere {
            asked_at,
            answer,
            heard_at: clock.now(),
        }),
    );
    if step_ms.abs() >= STEP_MS {
        let whose = answer.map_or(
            "the machine's clock was stepped",
            |_| "the database's clock and this daemon's were apart",
        );
        tracing::warn!(
            clock.step_ms = step_ms,
            "{whose} by {step_ms} ms; the daemon's clock is set by it"
        );
    }
    Ok(step_ms)
}

/// The heart of this instance.
pub(super) struct Heart<'g> {
    gate: &'g Arc<Inner>,
    this: Instance,
    /// How many lived at the last beat.
    alive: u32,
    /// Whether the last beat was taken.
    well: bool,
    caution: Caution,
}

/// Keeps leases of others from being taken over when it is the clock that has run them out.
#[derive(Debug, Default)]
struct Caution {
    /// Beats until they may be taken over again.
    beats: u32,
}

impl Caution {
    /// Takes note of how far the clock was set at a beat; gives whether leases may be taken over.
    fn beat(&mut self, step_ms: i64) -> bool {
        self.beats = match step_ms {
            STEP_MS.. => BEATS_WITHOUT_TAKEOVER,
            _ => self.beats.saturating_sub(1),
        };
        self.beats == 0
    }
}

impl<'g> Heart<'g> {
    /// Beats for the first time, so that the shares are known before the first call. While the store
    /// does not take it, nothing can be worked either, so it is tried until `shutdown`.
    pub(super) async fn start(gate: &'g Arc<Inner>, shutdown: &CancellationToken) -> Self {
        let now = gate.now();
        let mut heart = Self {
            gate,
            this: Instance {
                id: gate.settings.worker_name.clone(),
                host: host(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at: now,
                seen_at: now,
            },
            alive: 1,
            well: true,
            caution: Caution::default(),
        };
        loop {
            heart.beat().await;
            if heart.well || pause(shutdown, RETRY_MS).await {
                return heart;
            }
        }
    }

    /// Beats until `end`, then takes the instance off the list.
    pub(super) async fn go_on(mut self, end: &CancellationToken) {
        let every = self.gate.settings.lease_ms / BEATS_PER_LEASE;
        let every_ms = u64::try_from(every).unwrap_or(0).max(1);
        while !pause(end, every_ms).await {
            self.beat().await;
        }
        let id = self.this.id.clone();
        let removed = self
            .gate
            .storage
            .write(move |tx| Box::pin(async move { tx.remove_instance(&id).await }))
            .await;
        if let Err(error) = removed {
            let error: StorageError = error;
            tracing::warn!(error = %error, "this instance stays on the list as dead for a while");
        }
    }

    async fn beat(&mut self) {
        let alive = match self.try_to_beat().await {
            Ok(alive) => alive,
            Err(error) => {
                put_off(&error, "this instance cannot say that it lives");
                self.well = false;
                return;
            }
        };
        self.well = true;
        // One that has gone counts until the next beat: it may only be late, or the first to put its
        // clock back.
        let sharing = alive.max(self.alive);
        if alive != self.alive {
            tracing::info!(instance.count = alive, "instances come and go");
        }
        self.alive = alive;
        for source in self.gate.sources.values() {
            source.provider.share_limit(sharing);
        }
    }

    /// Gives how many live.
    async fn try_to_beat(&mut self) -> Result<u32, StorageError> {
        let gate = self.gate;
        // Held back before the clock is set, so that no worker sees the new time and goes by it.
        gate.takes_over.store(false, Ordering::SeqCst);
        let step_ms = set_clock(&gate.storage, gate.clock.as_ref()).await;
        self.mind_the_step(*step_ms.as_ref().unwrap_or(&0));
        step_ms?;
        let now = gate.now();
        self.this.seen_at = now;
        // A file has one daemon: whoever is listed beside it was killed.
        let forgotten = match gate.storage.is_shared() {
            true => plus_ms(now, -LISTED_MS),
            false => Timestamp::MAX,
        };
        let this = self.this.clone();
        let (after, before) = lifetime(now, gate.settings.lease_ms);
        let alive = gate
            .storage
            .write(move |tx| {
                Box::pin(async move {
                    tx.beat(&this).await?;
                    tx.forget_instances(forgotten, &this.id).await?;
                    tx.count_instances(after, before).await
                })
            })
            .await?;
        Ok(u32::try_from(alive).unwrap_or(u32::MAX).max(1))
    }

    /// Puts right what was kept in memory by the time before the clock was set.
    fn mind_the_step(&mut self, step_ms: i64) {
        let takes_over = self.caution.beat(step_ms);
        self.gate.takes_over.store(takes_over, Ordering::SeqCst);
        if step_ms <= -STEP_MS {
            for source in self.gate.sources.values() {
                source.forget_turns();
            }
            self.gate.journal_refused_at.store(0, Ordering::Relaxed);
        }
    }
}

/// Waits; true if `end` came first.
async fn pause(end: &CancellationToken, ms: u64) -> bool {
    tokio::select! {
        () = end.cancelled() => true,
        () = tokio::time::sleep(Duration::from_millis(ms)) => false,
    }
}

/// What this machine is called.
fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| std::env::var("HOSTNAME").ok());
    let name = name.map(|name| name.trim().to_owned());
    let name = name.filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_us;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn nothing_is_taken_over_for_a_lease_s_time_after_the_clock_was_put_forward() {
        let mut caution = Caution::default();
        let mut beat = |step_ms| caution.beat(step_ms);
        assert!(beat(0) && beat(STEP_MS - 1) && beat(-HOUR_MS));
        assert!(!beat(HOUR_MS));
        assert!(!beat(3) && !beat(-3), "the others are setting theirs");
        assert!(beat(0));
        assert!(!beat(STEP_MS) && !beat(0) && !beat(HOUR_MS), "once more");
        assert!(!beat(0) && !beat(0) && beat(0));
        assert!(i64::from(BEATS_WITHOUT_TAKEOVER) >= BEATS_PER_LEASE);
    }

    #[test]
    fn who_says_nothing_for_a_lease_s_time_is_dead() {
        let now = from_us(1_800_000_000_000_000);
        for (ago_ms, alive) in [
            (0, true),
            (29_999, true),
            (30_000, false),
            (HOUR_MS, false),
            // Seen in the future, before the clock was put back.
            (-29_999, true),
            (-HOUR_MS, false),
        ] {
            assert_eq!(
                is_alive(plus_ms(now, -ago_ms), now, 30_000),
                alive,
                "{ago_ms}"
            );
        }
    }

    #[test]
    fn a_machine_has_a_name() {
        let name = host();
        assert!(!name.is_empty() && name.trim() == name, "{name:?}");
    }
}
