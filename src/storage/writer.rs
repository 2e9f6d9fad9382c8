//! Group commit on a file: one thread owns the one connection that writes. It takes all work that waits, runs
//! each piece so that it can be taken back alone, commits once, and only then answers. So many small
//! transactions share one flush to disk, and a piece that fails takes nothing else with it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::backend::{Pool, Tx};
use super::checkpoint;
use super::error::StorageError;
use super::health::Health;
use super::migrate::Lock;
use super::together::another_failed;

/// Pieces of work that share one commit at most.
const BATCH_MAX: usize = 256;
/// Pieces of work beside urgent ones in one commit: somebody outside waits for it.
const BESIDE_URGENT_MAX: usize = 2;
/// Pieces of work that wait at most; whoever comes later waits for room.
const WAITING_MAX: usize = 1_024;

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    messages: mpsc::Sender<Message>,
    urgent: mpsc::Sender<Box<dyn Work>>,
    state: Arc<WriterState>,
    /// Closed once it has ended.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

/// What the writer lets others see.
#[derive(Debug)]
pub(super) struct WriterState {
    /// Told of every transaction whether it was committed, and whether a statement in it failed for want
    /// of disk.
    health: Arc<Health>,
    /// Something was committed since the log was last folded back.
    pub(super) dirty: AtomicBool,
}

pub(super) enum Message {
    Work(Box<dyn Work>, Manner),
    /// The log has grown long under constant load: fold it back while nobody writes.
    Checkpoint,
    Stop,
}

/// How a piece of work shares a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Before all other work, since somebody outside waits for it; it fails alone.
    Urgent,
    /// It fails alone.
    Alone,
    /// It may fail together with other work of this kind. What fails alone has each page noted before it is
    /// changed, as it was; this does without.
    Together,
}

/// A piece of work, whatever it returns.
pub(super) trait Work: Send {
    /// Does it; `false` if what it did is to be taken back.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Tells the caller how it ended. `end` is how the common transaction did.
    fn answer(self: Box<Self>, end: Result<(), StorageError>);
}

/// The common case of it.
pub(super) struct Task<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Task<T, E, F> {
    /// Work, and where its caller will find what came of it.
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (caller, answer) = oneshot::channel();
        let task = Self {
            work: Some(work),
            result: None,
            caller,
        };
        (task, answer)
    }
}

impl<T, E, F> Work for Task<T, E, F>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StorageError> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return false;
            };
            // Whatever a panic leaves half-done is in the savepoint that is then rolled back.
            let result = AssertUnwindSafe(async { work(tx).await })
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(StorageError::Panicked.into()));
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, end: Result<(), StorageError>) {
        let answer = match (end, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(StorageError::Panicked.into()),
        };
        // The caller may have gone away; the work is done all the same.
        let _ = self.caller.send(answer);
    }
}

impl Writer {
    /// Starts it. `lock` keeps other daemons out for as long as it lives.
    pub(super) fn start(pool: Pool, lock: Lock, health: Arc<Health>) -> Result<Self, StorageError> {
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let (urgent, first) = mpsc::channel(WAITING_MAX);
        let state = Arc::new(WriterState {
            health,
            dirty: AtomicBool::new(true),
        });
        let inbox = Inbox {
            messages,
            urgent: first,
            waiting: Batch::default(),
            fold_back: false,
        };
        let (end, ended) = oneshot::channel();
        let in_thread = matches!(&pool, Pool::Sqlite(files) if files.is_on_disk());
        let serving = {
            let state = Arc::clone(&state);
            async move {
                serve(pool, inbox, state, lock).await;
                drop(end);
            }
        };
        if in_thread {
            let runtime = tokio::runtime::Handle::current();
            let thread = std::thread::Builder::new().name("store-writer".to_owned());
            thread
                .spawn(move || runtime.block_on(serving))
                .map_err(|error| {
                    StorageError::Unavailable(format!("no thread to write in: {error}"))
                })?;
        } else {
            tokio::spawn(serving);
        }
        Ok(Self {
            messages: sender,
            urgent,
            state,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// What the writer lets others see.
    pub(super) fn state(&self) -> &Arc<WriterState> {
        &self.state
    }

    /// A way to the writer that does not keep it alive.
    pub(super) fn weak(&self) -> mpsc::WeakSender<Message> {
        self.messages.downgrade()
    }

    /// Hands over a piece of work and waits for its commit.
    pub(super) async fn write<T, E, F>(&self, manner: Manner, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (task, answer) = Task::new(work);
        let sent = if manner == Manner::Urgent {
            self.urgent.send(Box::new(task)).await.is_ok()
        } else {
            let message = Message::Work(Box::new(task), manner);
            self.messages.send(message).await.is_ok()
        };
        if !sent {
            return Err(StorageError::Closed.into());
        }
        answer
            .await
            .unwrap_or_else(|_| Err(StorageError::Closed.into()))
    }

    /// Finishes what was handed over before, then ends the writer.
    pub(super) async fn stop(&self) {
        // An error means that it has stopped already.
        let _ = self.messages.send(Message::Stop).await;
        if let Some(ended) = self.ended.lock().await.take() {
            let _ = ended.await;
        }
    }
}

/// What waits for the writer.
struct Inbox {
    messages: mpsc::Receiver<Message>,
    urgent: mpsc::Receiver<Box<dyn Work>>,
    /// Taken from `messages`, and put off by urgent work.
    waiting: Batch,
    fold_back: bool,
}

/// Work, by how it fails.
#[derive(Default)]
struct Batch {
    alone: VecDeque<Box<dyn Work>>,
    together: VecDeque<Box<dyn Work>>,
}

impl Batch {
    fn len(&self) -> usize {
        self.alone.len() + self.together.len()
    }

    /// Takes so many pieces of it, of both kinds.
    fn take(&mut self, limit: usize) -> Self {
        let kept_free = (limit / 2).min(self.together.len());
        let alone = (limit - kept_free).min(self.alone.len());
        let together = (limit - alone).min(self.together.len());
        Self {
            alone: self.alone.drain(..alone).collect(),
            together: self.together.drain(..together).collect(),
        }
    }

    /// Puts back, in front, what was not begun.
    fn put_back(&mut self, left: Self) {
        let all = [
            (left.alone, &mut self.alone),
            (left.together, &mut self.together),
        ];
        for (left, waiting) in all {
            for work in left.into_iter().rev() {
                waiting.push_front(work);
            }
        }
    }

    fn answer_all(self, end: &Result<(), StorageError>) {
        for work in self.alone.into_iter().chain(self.together) {
            work.answer(end.clone());
        }
    }
}

impl Inbox {
    /// The work of the next commit, waiting for some if there is none, and how much of it, at the front,
    /// is urgent. `None` once nobody can send any more, and all is done.
    async fn next(&mut self) -> Option<(Batch, usize)> {
        let mut urgent = VecDeque::new();
        if self.waiting.len() == 0 {
            tokio::select! {
                biased;
                Some(work) = self.urgent.recv() => urgent.push_back(work),
                Some(message) = self.messages.recv() => self.sort(message),
                else => return None,
            }
        }
        while urgent.len() < BATCH_MAX
            && let Ok(work) = self.urgent.try_recv()
        {
            urgent.push_back(work);
        }
        while self.waiting.len() < BATCH_MAX
            && let Ok(message) = self.messages.try_recv()
        {
            self.sort(message);
        }
        let count = urgent.len();
        let mut batch = self.waiting.take(match count {
            0 => BATCH_MAX,
            _ => BESIDE_URGENT_MAX,
        });
        urgent.append(&mut batch.alone);
        batch.alone = urgent;
        Some((batch, count))
    }

    fn is_empty(&self) -> bool {
        self.waiting.len() == 0 && self.urgent.is_empty() && self.messages.is_empty()
    }

    fn sort(&mut self, message: Message) {
        match message {
            Message::Work(work, Manner::Together) => self.waiting.together.push_back(work),
            Message::Work(work, _) => self.waiting.alone.push_back(work),
            Message::Checkpoint => self.fold_back = true,
            Message::Stop => {
                self.messages.close();
                self.urgent.close();
            }
        }
    }
}

async fn serve(pool: Pool, mut inbox: Inbox, state: Arc<WriterState>, lock: Lock) {
    let mut connection = None;
    while let Some((mut batch, urgent)) = inbox.next().await {
        // What is urgent ends a commit early, once that has done what it was begun for.
        let done = |begun: usize| begun >= urgent.max(1) && !inbox.urgent.is_empty();
        let kept = connection.take();
        connection = commit_batch(&pool, kept, &mut batch, &state, done).await;
        inbox.waiting.put_back(batch);
        let fold_back = std::mem::take(&mut inbox.fold_back);
        // It is kept for what waits already, and for nothing else.
        if fold_back || inbox.is_empty() {
            drop(connection.take());
        }
        if fold_back {
            checkpoint::passive(&pool).await;
        }
    }
    drop(connection);
    checkpoint::truncate(&pool).await;
    pool.close().await;
    drop(lock);
}

/// Runs waiting work in one transaction and answers it. If the transaction itself breaks (SQLite
/// gives up the whole of it when the disk is full), what was not begun stays in `waiting`.
/// So does what is left when `done` says that so many pieces are enough. Gives the connection back, if it
/// can be used once more.
async fn commit_batch(
    pool: &Pool,
    kept: Option<Tx>,
    waiting: &mut Batch,
    state: &WriterState,
    done: impl Fn(usize) -> bool,
) -> Option<Tx> {
    let mut tx = match begin(pool, kept).await {
        Ok(tx) => tx,
        Err(error) => {
            state.health.down(&error);
            std::mem::take(waiting).answer_all(&Err(error));
            return None;
        }
    };
    let mut begun = Vec::with_capacity(waiting.len());
    let mut end = Ok(());
    let mut empty = true; // as long as nothing was kept
    while end.is_ok()
        && !done(begun.len())
        && let Some(mut work) = waiting.alone.pop_front()
    {
        end = if empty {
            let kept = run_first(&mut tx, work.as_mut()).await;
            kept.map(|kept| empty = !kept)
        } else {
            run_alone(&mut tx, work.as_mut()).await
        };
        begun.push(work);
    }
    let count = begun.len();
    let enough = |more: usize| done(count + more);
    let mut group = Vec::new();
    let mut group_end = Ok(());
    if end.is_ok() && !enough(0) && !waiting.together.is_empty() {
        match run_group(&mut tx, &mut waiting.together, &mut group, empty, enough).await {
            Ok(true) => {}
            Ok(false) => group_end = Err(another_failed()),
            Err(error) => end = Err(error),
        }
    }
    let trouble = tx.take_trouble();
    if end.is_ok() {
        end = tx.commit_and_stay().await;
    }
    // Before the answers, so that whoever has one sees what it came with.
    match end.as_ref().err().or(trouble.as_ref()) {
        Some(error) => state.health.down(error),
        None => state.health.up(),
    }
    state.dirty.store(true, Ordering::Relaxed);
    if let Err(error) = &end {
        let count = begun.len() + group.len();
        tracing::error!(error = %error, work.count = count, "the store lost a transaction");
    }
    for work in begun {
        work.answer(end.clone());
    }
    let group_end = end.clone().and(group_end);
    for work in group {
        work.answer(group_end.clone());
    }
    end.is_ok().then_some(tx)
}

async fn begin(pool: &Pool, kept: Option<Tx>) -> Result<Tx, StorageError> {
    match kept {
        Some(mut tx) => {
            tx.begin_again().await?;
            Ok(tx)
        }
        None => pool.begin_write().await,
    }
}

/// Runs work in a transaction that has nothing else in it: no savepoint is needed to take it back. Says
/// whether it is kept.
async fn run_first(tx: &mut Tx, work: &mut dyn Work) -> Result<bool, StorageError> {
    let keep = work.run(tx).await;
    if !keep {
        tx.rollback_and_stay().await?;
        tx.begin_again().await?;
    }
    Ok(keep)
}

/// Runs work that may fail together, and moves it to `group`. Says whether it is kept: if any of it fails,
/// nothing is, and the rest stays where it is.
async fn run_group(
    tx: &mut Tx,
    waiting: &mut VecDeque<Box<dyn Work>>,
    group: &mut Vec<Box<dyn Work>>,
    is_first: bool,
    enough: impl Fn(usize) -> bool,
) -> Result<bool, StorageError> {
    if !is_first {
        tx.savepoint().await?;
    }
    let mut keep = true;
    while keep
        && !enough(group.len())
        && let Some(mut work) = waiting.pop_front()
    {
        keep = work.run(tx).await;
        group.push(work);
    }
    match (is_first, keep) {
        (true, true) => {}
        (true, false) => {
            tx.rollback_and_stay().await?;
            tx.begin_again().await?;
        }
        (false, keep) => tx.end_savepoint(keep).await?,
    }
    Ok(keep)
}

async fn run_alone(tx: &mut Tx, work: &mut dyn Work) -> Result<(), StorageError> {
    tx.savepoint().await?;
    let keep = work.run(tx).await;
    tx.end_savepoint(keep).await
}
