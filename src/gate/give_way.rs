//! Background work gives way while arrivals pile up. Somebody waits for each arrival, and nobody for a
//! booking to be decided a second sooner: draining, filing, leasing and steps then take turns, one at a time, and
//! rest in between. They never stop, and go at full speed again as soon as there is no queue. What is left to
//! drain then comes before the others: until it is in the store, other instances know nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Arrivals waiting at once that make a queue. Fewer wait at any moment of a brisk day.
const QUEUE: usize = 6;
/// How long a queue counts after it was seen last. A commit answers all who wait at once, and their
/// next requests are on their way.
const QUEUE_LASTS_MS: u64 = 50;
/// How long the drain counts as behind after it said so last, should it come to a halt.
const BEHIND_LASTS_MS: u64 = 1_000;
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
    /// Until when the drain counts as behind, likewise.
    behind_until_ms: AtomicU64,
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
            behind_until_ms: AtomicU64::new(0),
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

    /// The drain says whether it is behind.
    pub(super) fn drain_is_behind(&self, behind: bool) {
        let until = match behind {
            true => self.elapsed_ms() + BEHIND_LASTS_MS,
            false => 0,
        };
        self.behind_until_ms.store(until, Ordering::Relaxed);
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Turn {
        self.turn_while(|| self.busy_left()).await
    }

    /// Waits for a turn to drain: arrivals alone come before it.
    pub(super) async fn turn_to_drain(&self) -> Turn {
        self.turn_while(|| self.queue_left()).await
    }

    /// Waits for a turn while `busy` says that there is something to give way to, and for how long at least.
    async fn turn_while(&self, busy: impl Fn() -> Option<Duration>) -> Turn {
        if busy().is_none() {
            return Turn::FREE;
        }
        let next = Arc::clone(&self.next).lock_owned().await;
        while let Some(left) = busy() {
            let rest = next.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Turn {
                    next: Some(next),
                    begun: None,
                };
            }
            tokio::time::sleep(rest.min(left)).await;
        }
        Turn::FREE
    }

    /// Whether nobody has to give way now.
    pub(super) fn is_free(&self) -> bool {
        self.busy_left().is_none()
    }

    /// How long the queue still counts at least; `None` if there is none.
    fn queue_left(&self) -> Option<Duration> {
        if self.waiting.load(Ordering::Relaxed) >= QUEUE {
            return Some(Duration::from_millis(QUEUE_LASTS_MS));
        }
        self.left(&self.queue_until_ms)
    }

    /// How long there is a queue or a drain that is behind; `None` if there is neither.
    fn busy_left(&self) -> Option<Duration> {
        self.queue_left()
            .or_else(|| self.left(&self.behind_until_ms))
    }

    fn left(&self, until_ms: &AtomicU64) -> Option<Duration> {
        let left = until_ms
            .load(Ordering::Relaxed)
            .checked_sub(self.elapsed_ms())?;
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
    async fn what_is_left_to_drain_comes_before_all_but_arrivals() {
        let give_way = GiveWay::new();
        give_way.drain_is_behind(true);
        assert!(!give_way.is_free());
        assert!(give_way.turn().await.gives_way());
        assert!(!give_way.turn_to_drain().await.gives_way());
        let queue = queue(&give_way);
        assert!(give_way.turn_to_drain().await.gives_way());
        drop(queue);
        give_way.drain_is_behind(false);
        give_way.queue_until_ms.store(0, Ordering::Relaxed);
        assert!(give_way.is_free() && !give_way.turn().await.gives_way());
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
