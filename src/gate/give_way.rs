//! Background work gives way while arrivals pile up. Somebody waits for each arrival, and nobody for a
//! booking to be decided a second sooner: draining, filing, leasing and steps then take turns, one at a time, and
//! rest in between. They never stop, and go at full speed again as soon as there is no queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Arrivals waiting at once that make a queue. Fewer wait at any moment of a brisk day.
const QUEUE: usize = 6;
/// How long a queue counts after it was seen last. A commit answers all who wait at once, and their
/// next requests are on their way.
const QUEUE_LASTS_MS: u64 = 50;
/// Rest after each turn, in lengths of that turn: background work has a tenth of the time.
const REST: u32 = 9;
/// The longest rest. A turn that took so long was slow for other reasons.
const REST_MAX: Duration = Duration::from_millis(100);

/// Knows how many wait, and whose turn it is.
#[derive(Debug)]
pub(super) struct GiveWay {
    created: Instant,
    waiting: AtomicUsize,
    /// Until when the queue counts, in ms since `created`.
    queue_until_ms: AtomicU64,
    /// Held by whoever has the turn: when the next may begin.
    next: Arc<Mutex<Instant>>,
}

/// An arrival that waits until this is dropped.
#[must_use]
pub(super) struct Waiting<'g>(&'g GiveWay);

/// The right to do one piece of background work, until this is dropped. Without a queue everybody has it.
#[derive(Debug)]
#[must_use]
pub(super) struct Turn {
    /// `None` if nobody has to give way.
    next: Option<OwnedMutexGuard<Instant>>,
    begun: Option<Instant>,
}

impl GiveWay {
    /// Nobody waits yet.
    pub(super) fn new() -> Self {
        let created = Instant::now();
        Self {
            created,
            waiting: AtomicUsize::new(0),
            queue_until_ms: AtomicU64::new(0),
            next: Arc::new(Mutex::new(created)),
        }
    }

    /// Counts an arrival.
    pub(super) fn wait(&self) -> Waiting<'_> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) + 1 >= QUEUE {
            let until = self.elapsed_ms() + QUEUE_LASTS_MS;
            self.queue_until_ms.fetch_max(until, Ordering::Relaxed);
        }
        Waiting(self)
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Turn {
        if let Some(free) = self.free_turn() {
            return free;
        }
        let next = Arc::clone(&self.next).lock_owned().await;
        while let Some(queue) = self.queue_left() {
            let rest = next.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Turn {
                    next: Some(next),
                    begun: None,
                };
            }
            tokio::time::sleep(rest.min(queue)).await;
        }
        Turn::FREE
    }

    /// A turn, if nobody has to give way now.
    pub(super) fn free_turn(&self) -> Option<Turn> {
        self.queue_left().is_none().then_some(Turn::FREE)
    }

    /// How long the queue still counts at least; `None` if there is none.
    fn queue_left(&self) -> Option<Duration> {
        if self.waiting.load(Ordering::Relaxed) >= QUEUE {
            return Some(Duration::from_millis(QUEUE_LASTS_MS));
        }
        let until = self.queue_until_ms.load(Ordering::Relaxed);
        let left = until.checked_sub(self.elapsed_ms())?;
        (left > 0).then(|| Duration::from_millis(left))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Turn {
    /// Nobody has to give way.
    pub(super) const FREE: Self = Self {
        next: None,
        begun: None,
    };

    /// Whether arrivals wait: then the turn should be short.
    pub(super) fn gives_way(&self) -> bool {
        self.next.is_some()
    }

    /// Work begins now. Call it where the statements begin, and drop the turn where they end: waiting for
    /// others and for the disk keeps nobody from anything, and needs no rest afterwards.
    pub(super) fn begin(mut self) -> Self {
        self.begun = Some(Instant::now());
        self
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let (Some(next), Some(begun)) = (&mut self.next, self.begun) {
            let now = Instant::now();
            **next = now + (now.duration_since(begun) * REST).min(REST_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn queue(give_way: &GiveWay) -> Vec<Waiting<'_>> {
        (0..QUEUE).map(|_| give_way.wait()).collect()
    }

    #[test]
    fn without_a_queue_all_go_at_once() {
        let give_way = GiveWay::new();
        let _few: Vec<_> = (1..QUEUE).map(|_| give_way.wait()).collect();
        let turns: Option<Vec<_>> = (0..3).map(|_| give_way.turn().now_or_never()).collect();
        let turns = turns.expect("nobody waits");
        assert!(turns.iter().all(|turn| !turn.gives_way()));
    }

    #[tokio::test]
    async fn in_a_queue_one_goes_at_a_time_and_rests() {
        let give_way = GiveWay::new();
        let _queue = queue(&give_way);
        let mut turn = give_way.turn().await.begin();
        assert!(turn.gives_way());
        assert!(give_way.turn().now_or_never().is_none(), "it is taken");
        turn.begun = Instant::now().checked_sub(REST_MAX);
        drop(turn);
        assert!(give_way.turn().now_or_never().is_none(), "it rests");
    }

    #[tokio::test]
    async fn whoever_has_not_begun_needs_no_rest() {
        let give_way = GiveWay::new();
        let _queue = queue(&give_way);
        drop(give_way.turn().await);
        assert!(give_way.turn().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_queue_that_is_gone_lets_those_who_rest_go() {
        let give_way = GiveWay::new();
        drop(queue(&give_way));
        *give_way.next.lock().await = Instant::now() + Duration::from_secs(3_600);
        assert!(
            !give_way.turn().await.gives_way(),
            "the hour is not waited for"
        );
    }
}
