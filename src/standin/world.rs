//! What every stand-in has, whoever it stands in for: the world of its provider behind a lock, and a
//! desk beside it with the log of calls, the faults that wait, and the webhooks that are held.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderName, Method};

use super::Delivery;
use super::calls::CallLog;
use super::faults::Armed;
use crate::domain::clock::Clock;
use crate::domain::ids::Uid;

/// Most calls and most held webhooks that are kept; the oldest go first.
pub(super) const KEPT_MAX: usize = 100_000;

/// What is of one provider alone: its tables, and what its API calls things.
pub trait World: Sized + Send + 'static {
    /// What kind of provider it is.
    type Options: Send + Sync + 'static;
    /// What a call to its API can ask for.
    type Operation: Copy + Debug + Eq + Send + Sync + 'static;
    /// A webhook of its own that is ready to go.
    type Webhook: Clone + Send + 'static;

    /// The header by which it says how many seconds to wait.
    const WAIT_HEADER: HeaderName;

    /// What a call asks for, and which booking (or other thing) it names.
    fn classify(&self, method: &Method, path: &str) -> (Self::Operation, Option<Uid>);

    /// Whether a call changes something when it succeeds.
    fn changes(operation: Self::Operation) -> bool;

    /// The JSON body of a failure.
    fn failure(path: &str, message: &str) -> String;
}

/// What the handle, the API and the people share.
pub(super) struct Shared<W: World> {
    world: Mutex<W>,
    desk: Mutex<Desk<W>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: W::Options,
}

/// What stands beside the tables. Its lock is taken after theirs or alone.
pub(super) struct Desk<W: World> {
    pub(super) calls: CallLog<W::Operation>,
    pub(super) faults: Vec<Armed<W::Operation>>,
    pub(super) delivery: Delivery,
    pub(super) outbox: VecDeque<W::Webhook>,
}

impl<W: World> Shared<W> {
    pub(super) fn new(
        world: W,
        clock: Arc<dyn Clock>,
        options: W::Options,
        delivery: Delivery,
    ) -> Self {
        let desk = Desk {
            calls: CallLog::default(),
            faults: Vec::new(),
            delivery,
            outbox: VecDeque::new(),
        };
        Self {
            world: Mutex::new(world),
            desk: Mutex::new(desk),
            clock,
            options,
        }
    }

    /// The tables, never kept across an `await`. A panic elsewhere leaves them usable: every change is
    /// made in one go.
    pub(super) fn state(&self) -> MutexGuard<'_, W> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands beside the tables.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk<W>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts webhooks aside if they are held; gives back those that are to be sent now.
    pub(super) fn hold(&self, webhooks: Vec<W::Webhook>) -> Vec<W::Webhook> {
        let mut desk = self.desk();
        match desk.delivery {
            Delivery::Live => webhooks,
            Delivery::Held => {
                for webhook in webhooks {
                    keep(&mut desk.outbox, webhook);
                }
                Vec::new()
            }
        }
    }
}

/// Appends and forgets the oldest beyond [`KEPT_MAX`].
pub(super) fn keep<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == KEPT_MAX {
        kept.pop_front();
    }
    kept.push_back(item);
}
