//! Joins the other rooms: receive, drain, decide, deliver. Holds no rule (`policy`), no arithmetic
//! (`ledger`) and no order of events (`domain::timeline`, `domain::plan`) of its own.

mod accounts;
mod advance;
mod again;
mod archive;
mod audit;
mod callouts;
mod crew;
mod dead_letters;
mod decide;
mod decisions;
mod deliver;
mod deliveries;
mod desk;
mod drain;
mod error;
mod explain;
mod explanation;
mod filing;
mod give_way;
mod heartbeat;
mod inbox;
mod instances;
mod jobs;
mod keys;
mod metrics;
mod notices;
mod others;
mod outages;
mod overview;
mod payer;
mod person;
mod policies;
mod query;
mod receive;
mod reconcile;
mod report;
mod retention;
mod schedule;
mod shadows;
#[cfg(test)]
mod simulation;
mod source;
mod spans;
mod statement;
mod status;
mod subscriptions;
mod tags;
mod trial;
mod verification;
mod views;
mod worker;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::domain::amount::Unit;
use crate::domain::clock::{Clock, Timestamp, from_us, plus_ms};
use crate::domain::ids::SourceName;
use crate::journal::{Journal, Reader};
use crate::provider::callout::Caller;
use crate::provider::traced::Tracer;
use crate::storage::{Storage, StorageError};

use archive::Archive;
use callouts::Callouts;
use crew::Crew;
use give_way::GiveWay;
use heartbeat::Heart;
use metrics::{Metrics, Scrapes};
use notices::Notices;
use policies::Policies;

pub use crate::storage::records::{DeliveryRow, DeliveryState};
pub use accounts::{AccountsAsked, BalanceView, CreditAnswer, CreditKind, CreditRequest};
pub use archive::ARCHIVED_LIST_BYTES_MAX;
pub use audit::{Actor, ChangeView, ChangesAsked};
pub use dead_letters::{LetterLine, LettersAsked, LettersFate, LettersOrder, LettersReport};
pub use decisions::{DecisionLine, DecisionsAsked};
pub use deliveries::{DeliveriesAsked, DeliveryView, ReplayLine, ReplayOrder, ReplayReport};
pub use desk::Desk;
pub use error::GateError;
pub use explain::{Explained, PolicyAsked, asked, explain};
pub use explanation::{DecisionExplained, ExplanationView, Recomputed, Remade};
pub use heartbeat::set_clock;
pub use instances::InstanceView;
pub use metrics::{CallMeter, ListMeter, Refreshed};
pub use notices::{NoticeSettings, NoticeView, NoticesAsked, Subscriber, send_test};
pub use overview::{CallView, SourceHealth, SourceView, WaitingView};
pub use person::{PersonDecides, PersonsAnswer};
pub use policies::{
    CriterionView, PoliciesView, PolicyAttempt, PolicyOrigin, PolicyView, ReadPolicies,
    ReloadCause, StartingPolicies,
};
pub use query::{BookingsAsked, PAGE_MAX};
pub use receive::{Received, Refused};
pub use reconcile::ReconcileSettings;
pub use retention::{RetentionLine, RetentionSettings};
pub use schedule::JobView;
pub use shadows::ShadowView;
pub use source::Source;
pub use statement::{ENTRY_KINDS, EntriesAsked};
pub use status::Overview;
pub use subscriptions::Keeping;
pub use tags::{TagsChange, TagsView};
pub use trial::{CHANGES_MAX, Candidate, ChangedDecision, CreditTotals, Trial};
pub use views::{
    AccountView, AttemptView, BookingLine, BookingView, CommandView, DeadLetterView, DecisionView,
    EntryView, FactView, HoldView, Page,
};

/// How long a refusal by the journal counts against the daemon's health, if nothing is stored since,
/// in ms.
const REFUSAL_REMEMBERED_MS: i64 = 10_000;

/// Limits and times of the gate's own work.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// Where a verified delivery must be before it is answered.
    pub acknowledge: Acknowledge,
    /// Whether the journal takes over when the store does not answer.
    pub journal_when_store_is_down: bool,
    /// How old the oldest delivery in the journal may become while the store is down, in ms; 0 for any
    /// age.
    pub journal_age_max_ms: i64,
    /// How long a delivery waits for the store before the journal takes over, in ms.
    pub store_patience_ms: u64,
    /// Chains worked on at the same time.
    pub concurrency: usize,
    /// How long a worker may hold a chain without renewing, in ms.
    pub lease_ms: i64,
    /// Deliveries taken from the journal at once.
    pub drain_batch_max: usize,
    /// Waits between attempts, in ms; after the last one a command is dead.
    pub retry_schedule_ms: Vec<i64>,
    /// What is removed once it is old.
    pub retention: RetentionSettings,
    /// How often what the provider has is compared with what is known here.
    pub reconcile: ReconcileSettings,
    /// This process, in leases and attempts.
    pub worker_name: String,
}

/// Where a verified delivery must be before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// In the journal, on this machine's disk.
    Journal,
    /// In the store, committed.
    Database,
}

/// The gate. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

pub(crate) struct Inner {
    desk: Desk,
    storage: Storage,
    journal: Arc<Journal>,
    policies: Policies,
    /// The texts of those that have decided.
    archive: Archive,
    sources: BTreeMap<String, Source>,
    /// What policies have others asked.
    callouts: Callouts,
    clock: Arc<dyn Clock>,
    settings: GateSettings,
    metrics: Metrics,
    /// Who is told of spans.
    tracer: Tracer,
    /// The last look at what waits.
    scrapes: Scrapes,
    /// Those who are told what happens.
    notices: Notices,
    /// Work on a schedule.
    jobs: Vec<Arc<jobs::Job>>,
    /// When the journal last refused a delivery, in microseconds; 0 if never.
    journal_refused_at: AtomicI64,
    /// The way to the task that stores deliveries where the store acknowledges them.
    intake: mpsc::Sender<inbox::Arrival>,
    /// The other end of `intake`.
    arrivals: Mutex<mpsc::Receiver<inbox::Arrival>>,
    /// Whether background work gives way to arrivals.
    give_way: GiveWay,
    /// Rung when a delivery was stored that has to be filed.
    arrived: Notify,
    /// The last look at what is not filed yet.
    unfiled: Mutex<Option<receive::Unfiled>>,
    /// Those who work on chains.
    crew: Crew,
    /// Whether what other instances have let expire is taken over now.
    takes_over: AtomicBool,
    /// Rung when a chain may have become due.
    work: Notify,
    /// Held from leasing chains or jobs until they count as being worked on: in between they are neither
    /// due nor in hand, and [`Gate::settle`] would believe that nothing is left to do.
    leasing: Mutex<()>,
    /// Rung when a worker became idle or the drain caught up: tests and shutdown wait for it.
    idle: watch::Sender<Activity>,
}

/// How much is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Activity {
    /// Chains and jobs being worked on.
    working: usize,
    /// Deliveries filed since this process began.
    filed: u64,
}

/// What a gate is made of.
pub struct Parts {
    /// The store.
    pub storage: Storage,
    /// The journal in front of it.
    pub journal: Arc<Journal>,
    /// The policies to begin with.
    pub policies: StartingPolicies,
    /// Units of account.
    pub units: Vec<Unit>,
    /// The sources, by name.
    pub sources: Vec<Source>,
    /// Who asks other servers on behalf of policies.
    pub caller: Arc<Caller>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Limits and times.
    pub settings: GateSettings,
    /// Who is told what happens.
    pub notices: NoticeSettings,
    /// Whom the sources' providers tell of their calls.
    pub calls: CallMeter,
    /// Whom those tell who fetch lists.
    pub lists: ListMeter,
    /// Who is told of spans.
    pub tracer: Tracer,
}

impl Gate {
    /// Puts a gate together. Nothing runs until [`Gate::run`].
    pub fn new(parts: Parts) -> Self {
        let desk = Desk::new(parts.storage.clone(), parts.units, Arc::clone(&parts.clock));
        let (intake, arrivals) = inbox::intake();
        let by_name = |source: Source| (source.name.as_str().to_owned(), source);
        let sources: BTreeMap<String, Source> = parts.sources.into_iter().map(by_name).collect();
        let mut metrics = Metrics::new(&parts.calls, &parts.lists);
        for source in sources.values() {
            metrics.expect_source(&source.name);
        }
        for subscriber in &parts.notices.subscribers {
            metrics.expect_receiver(subscriber.receiver.name());
        }
        let crew = Crew::new(parts.settings.concurrency);
        let now = parts.clock.now();
        let names = sources.values().map(|source| &source.name);
        metrics.policies_loaded(&parts.policies.set, names, now);
        let policies = Policies::new(parts.policies, now);
        metrics.policies_read(policies.are_current(), now);
        Self(Arc::new(Inner {
            desk,
            storage: parts.storage,
            journal: parts.journal,
            policies,
            archive: Archive::default(),
            jobs: jobs::all(&parts.settings, &sources),
            sources,
            callouts: Callouts::new(parts.caller),
            clock: parts.clock,
            settings: parts.settings,
            metrics,
            tracer: parts.tracer,
            scrapes: Scrapes::default(),
            notices: Notices::new(parts.notices),
            journal_refused_at: AtomicI64::new(0),
            intake,
            arrivals: Mutex::new(arrivals),
            give_way: GiveWay::new(),
            arrived: Notify::new(),
            unfiled: Mutex::new(None),
            crew,
            takes_over: AtomicBool::new(true),
            work: Notify::new(),
            leasing: Mutex::new(()),
            idle: watch::Sender::default(),
        }))
    }

    /// What was counted since this process began, and what waits now, as Prometheus reads it.
    pub async fn metrics(&self) -> String {
        metrics::scrape(&self.0).await
    }

    /// Counts a wrong token at the admin endpoint, by what came of it: `delayed` or `refused`.
    pub fn log_in_failed(&self, result: &'static str) {
        self.0.metrics.log_in_failed(result);
    }

    /// Works until `shutdown` is cancelled: stores deliveries, drains the journal into the inbox, files
    /// what is in the inbox, works the chains that are due, and runs the jobs that are. Returns once all
    /// in hand was finished or given back.
    pub async fn run(&self, reader: Reader, shutdown: CancellationToken) {
        // Workers wait for what was acknowledged to be filed before they call a provider, so that goes
        // on until they are done.
        let workers_done = CancellationToken::new();
        // Nothing that goes by the time begins before the first heartbeat has set the clock.
        let working = async {
            let heart = Heart::start(&self.0, &shutdown).await;
            let worked = async {
                crew::run(&self.0, &shutdown).await;
                workers_done.cancel();
            };
            tokio::join!(
                worked,
                filing::run(&self.0, &workers_done),
                jobs::run(&self.0, &shutdown),
                notices::run(&self.0, &shutdown),
                outages::run(&self.0, &shutdown),
                heart.go_on(&workers_done)
            );
        };
        let storing = async {
            tokio::select! {
                () = inbox::run(&self.0) => {}
                () = workers_done.cancelled() => {}
            }
            self.0.arrivals.lock().await.close();
        };
        tokio::join!(storing, drain::run(&self.0, reader, &workers_done), working);
    }

    /// Looks at the clock and the queue again; for tests that moved a clock by hand.
    pub fn wake(&self) {
        self.0.work.notify_one();
        for job in &self.0.jobs {
            job.ring();
        }
        self.0.notices.ring();
    }

    /// Waits until nothing is left to do now: the journal is drained, and no chain or job is due. What waits
    /// for a later time stays.
    pub async fn settle(&self) {
        let mut idle = self.0.idle.subscribe();
        loop {
            self.wake();
            idle.mark_unchanged();
            if self.0.nothing_to_do().await {
                return;
            }
            // The timeout only bounds a missed wake-up; progress itself rings the bell.
            let patience = std::time::Duration::from_millis(20);
            let _ = tokio::time::timeout(patience, idle.changed()).await;
        }
    }

    /// What admins look at and change.
    pub fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// Has dead letters tried again now, or laid aside.
    ///
    /// # Errors
    /// As [`Desk::order_letters`].
    pub async fn order_letters(&self, order: LettersOrder) -> Result<LettersReport, GateError> {
        let report = self.desk().order_letters(order).await?;
        self.wake();
        Ok(report)
    }

    /// The time, by the gate's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether deliveries can be stored at all, and whether everything is as it should be.
    pub async fn health(&self) -> Health {
        let store = self.0.storage.healthy().await;
        let journal = self.0.journal_works();
        let settings = &self.0.settings;
        let stores = match settings.acknowledge {
            Acknowledge::Journal => journal,
            Acknowledge::Database => store || (journal && settings.journal_when_store_is_down),
        };
        match (stores, store && journal && self.0.policies.are_current()) {
            (false, _) => Health::Down,
            (true, false) => Health::Degraded,
            (true, true) => Health::Ok,
        }
    }
}

/// Whether deliveries can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Yes, and all is well.
    Ok,
    /// Yes, but the journal or the store is in trouble, or the policies in the folder are not those in
    /// force.
    Degraded,
    /// No.
    Down,
}

impl Inner {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn sources(&self) -> impl Iterator<Item = &SourceName> {
        self.sources.values().map(|source| &source.name)
    }

    /// Whether nothing is in hand, the journal is drained, all is filed, and no chain or job is due.
    /// Looked at in this order: a call in hand may bring webhooks, and webhooks make chains due.
    async fn nothing_to_do(&self) -> bool {
        let _no_chain_is_between = self.leasing.lock().await;
        let now = *self.idle.borrow();
        now.working == 0
            && self.journal.depth().records == 0
            && self.nothing_due().await
            && self.no_job_due().await
            && self.outages_told()
            && self.no_notice_due().await
    }

    async fn nothing_due(&self) -> bool {
        let due = self
            .storage
            .read(|tx| {
                Box::pin(async move {
                    let unfiled = tx.first_unfiled().await?;
                    Ok::<_, StorageError>((unfiled, tx.next_due().await?))
                })
            })
            .await;
        matches!(due, Ok((None, due)) if due.is_none_or(|at| at > self.now()))
    }

    /// Whether what waits in the journal has waited for too long. Only while the store is down: else the
    /// drain is at it.
    fn journal_is_too_old(&self) -> bool {
        let age_max_ms = self.settings.journal_age_max_ms;
        if age_max_ms == 0 || self.storage.seems_well() {
            return false;
        }
        let oldest = self.journal.depth().oldest;
        oldest.is_some_and(|oldest| plus_ms(oldest, age_max_ms) < self.now())
    }

    /// Whether the journal takes deliveries: it has room, is not too old, and has refused none lately.
    /// Whoever is sent nothing because of it gets a chance to find out that it works again.
    fn journal_works(&self) -> bool {
        let depth = self.journal.depth();
        let refused_at = from_us(self.journal_refused_at.load(Ordering::Relaxed));
        depth.bytes < depth.bytes_max
            && plus_ms(refused_at, REFUSAL_REMEMBERED_MS) < self.now()
            && !self.journal_is_too_old()
    }

    fn changed(&self, change: impl FnOnce(&mut Activity)) {
        self.idle.send_modify(change);
    }
}
