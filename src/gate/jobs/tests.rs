//! The schedule with jobs made up for it, on a real store: what a job does is not the matter here.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::task::JoinHandle;

use super::*;
use crate::domain::clock::{Clock, ManualClock, Timestamp, from_us};
use crate::gate::{
    Acknowledge, CallMeter, Gate, NoticeSettings, Parts, ReconcileSettings, RetentionSettings,
    StartingPolicies,
};
use crate::journal::{Journal, JournalSettings, Reader};
use crate::policy::{self, LoadContext};
use crate::storage::records::JobRow;
use crate::storage::{Database, Storage, StorageSettings};

const INTERVAL_MS: i64 = 3_600_000;

/// A store, a clock, and folders for the journals of any number of instances.
struct Place {
    folder: tempfile::TempDir,
    storage: Storage,
    clock: Arc<ManualClock>,
}

/// An instance that runs.
struct Instance {
    gate: Gate,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = StorageSettings {
            database: Database::Sqlite {
                path: folder.path().join("bookgate.db"),
                read_connections: 2,
            },
            busy_timeout_ms: 60_000,
            units: Vec::new(),
        };
        Self {
            storage: Storage::open(&settings).await.unwrap(),
            clock: Arc::new(ManualClock::new(from_us(1_800_000_000_000_000))),
            folder,
        }
    }

    /// Starts an instance that has this one job.
    fn start(&self, name: &str, job: Arc<Job>) -> Instance {
        let dir = self.folder.path().join(name);
        let (journal, reader, _) = Journal::open(&JournalSettings::new(&dir)).unwrap();
        let mut gate = Gate::new(self.parts(name, journal));
        Arc::get_mut(&mut gate.0).unwrap().jobs = vec![job];
        run_gate(gate, reader)
    }

    fn parts(&self, name: &str, journal: Journal) -> Parts {
        let units = std::collections::BTreeMap::new();
        let no_lists = |_: &str, _: &str| Ok(String::new());
        let context = LoadContext::new(&units, &no_lists);
        let (none, _) = policy::load(Vec::new(), &context).unwrap();
        Parts {
            storage: self.storage.clone(),
            journal: Arc::new(journal),
            policies: StartingPolicies::unchanging(Arc::new(none)),
            units: Vec::new(),
            sources: Vec::new(),
            caller: crate::gate::callouts::nobody(Arc::<ManualClock>::clone(&self.clock)),
            clock: Arc::<ManualClock>::clone(&self.clock),
            settings: GateSettings {
                reconcile: ReconcileSettings {
                    interval_ms: 0,
                    days_back: 0,
                },
                acknowledge: Acknowledge::Journal,
                journal_when_store_is_down: true,
                journal_age_max_ms: 60_000,
                store_patience_ms: 1_000,
                concurrency: 1,
                lease_ms: 30_000,
                drain_batch_max: 16,
                retry_schedule_ms: Vec::new(),
                retention: RetentionSettings::for_ever(),
                worker_name: name.to_owned(),
            },
            notices: NoticeSettings::default(),
            lists: crate::gate::ListMeter::default(),
            calls: CallMeter::default(),
            tracer: crate::provider::traced::Tracer::default(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn row(&self) -> JobRow {
        let row: Result<_, StorageError> = self
            .storage
            .read(|tx| Box::pin(async move { tx.job("count").await }))
            .await;
        row.unwrap().unwrap()
    }
}

fn run_gate(gate: Gate, reader: Reader) -> Instance {
    let (stop, running) = (CancellationToken::new(), gate.clone());
    let token = stop.clone();
    let task = tokio::spawn(async move { running.run(reader, token).await });
    Instance { gate, stop, task }
}

impl Instance {
    async fn pass_ms(&self, place: &Place, ms: i64) {
        place.clock.advance_ms(ms);
        self.gate.settle().await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// A job of so many steps, each of which notes its position and counts itself.
fn counting(steps: i64, count: &Arc<AtomicI64>) -> Arc<Job> {
    let count = Arc::clone(count);
    Job::new("count", INTERVAL_MS, move |gate, run| {
        let count = Arc::clone(&count);
        Box::pin(async move {
            count.fetch_add(1, Ordering::SeqCst);
            run.lease.position += 1;
            let (lease, until) = (run.lease.clone(), plus_ms(gate.now(), LEASE_MS));
            let kept: Result<bool, StorageError> = gate
                .storage
                .write(move |tx| {
                    Box::pin(async move { tx.advance_job(&lease, lease.position, until).await })
                })
                .await;
            assert!(kept?, "nobody else may have it");
            *run.tally.entry("steps").or_default() += 1;
            let done = run.lease.position >= steps;
            Ok(if done { Step::Done } else { Step::More })
        })
    })
}

#[tokio::test]
async fn a_job_runs_every_so_often_and_says_what_it_did() {
    let place = Place::new().await;
    let count = Arc::new(AtomicI64::new(0));
    let instance = place.start("a", counting(3, &count));
    instance.gate.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 0, "not at the start");
    instance.pass_ms(&place, INTERVAL_MS - 1).await;
    assert_eq!(count.load(Ordering::SeqCst), 0);
    instance.pass_ms(&place, 1).await;
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let row = place.row().await;
    assert_eq!(row.report.as_deref(), Some(r#"{"steps":3}"#));
    assert_eq!(row.ended_at, Some(place.now()));
    assert_eq!(row.due_at, plus_ms(place.now(), INTERVAL_MS));
    instance.pass_ms(&place, INTERVAL_MS).await;
    assert_eq!(count.load(Ordering::SeqCst), 6);
    instance.stop().await;
}

#[tokio::test]
async fn of_several_instances_one_runs_it() {
    let place = Place::new().await;
    let count = Arc::new(AtomicI64::new(0));
    let instances: Vec<_> = ["a", "b", "c"]
        .map(|name| place.start(name, counting(5, &count)))
        .into();
    for round in 1..=3 {
        place
            .clock
            .advance_ms(if round == 1 { 0 } else { INTERVAL_MS });
        for instance in &instances {
            instance.gate.settle().await;
        }
        assert_eq!(count.load(Ordering::SeqCst), 5 * (round - 1));
    }
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test]
async fn what_a_dead_instance_left_is_finished_by_another() {
    let place = Place::new().await;
    let now = place.now();
    let taken: Result<_, StorageError> = place
        .storage
        .write(move |tx| {
            Box::pin(async move {
                tx.add_job("count", now).await?;
                let lease = tx.take_job("count", "dead", now, LEASE_MS).await?.unwrap();
                tx.advance_job(&lease, 2, plus_ms(now, LEASE_MS)).await
            })
        })
        .await;
    assert!(taken.unwrap());
    let count = Arc::new(AtomicI64::new(0));
    let instance = place.start("a", counting(5, &count));
    instance.gate.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 0, "it may still be alive");
    place.clock.advance_ms(LEASE_MS);
    // Held counts as in somebody's hand, so it is the report that tells when it is over.
    while place.row().await.ended_at.is_none() {
        instance.gate.wake();
        tokio::task::yield_now().await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
    instance.stop().await;
}

#[tokio::test]
async fn a_job_that_fails_or_panics_is_tried_again_where_it_stopped() {
    let place = Place::new().await;
    let count = Arc::new(AtomicI64::new(0));
    let good = counting(4, &count);
    let calls = AtomicI64::new(0);
    let job = Job::new("count", INTERVAL_MS, move |gate, run| {
        match calls.fetch_add(1, Ordering::SeqCst) {
            1 => Box::pin(async {
                Err(StorageError::Unavailable("the disk is full".to_owned()).into())
            }),
            3 => Box::pin(async { panic!("planted") }),
            _ => (good.step)(gate, run),
        }
    });
    let instance = place.start("a", job);
    instance.gate.settle().await;
    instance.pass_ms(&place, INTERVAL_MS).await;
    let row = place.row().await;
    let why = row.report.unwrap();
    assert!(
        why.starts_with(r#"{"failed":"#) && why.contains("the disk is full"),
        "{why}"
    );
    assert_eq!(
        (row.position, row.due_at),
        (1, plus_ms(place.now(), RETRY_MS))
    );

    instance.pass_ms(&place, RETRY_MS).await;
    let row = place.row().await;
    assert_eq!(row.report.as_deref(), Some(r#"{"failed":"it panicked"}"#));
    assert_eq!((row.position, row.ended_at), (2, None));

    instance.pass_ms(&place, RETRY_MS).await;
    assert_eq!(count.load(Ordering::SeqCst), 4);
    assert_eq!(place.row().await.report.as_deref(), Some(r#"{"steps":2}"#));
    instance.stop().await;
}

#[tokio::test]
async fn shutdown_gives_a_run_back_and_the_next_goes_on() {
    let place = Place::new().await;
    let count = Arc::new(AtomicI64::new(0));
    let stop = CancellationToken::new();
    let (good, pulled) = (counting(4, &count), stop.clone());
    let job = Job::new("count", INTERVAL_MS, move |gate, run| {
        pulled.cancel();
        (good.step)(gate, run)
    });
    let instance = place.start("a", job);
    instance.gate.settle().await;
    place.clock.advance_ms(INTERVAL_MS);
    instance.gate.wake();
    stop.cancelled().await;
    instance.stop().await;
    let row = place.row().await;
    assert!(
        row.holder.is_none() && (1..4).contains(&row.position),
        "{row:?}"
    );
    assert_eq!((row.report, row.due_at), (None, place.now()));

    let instance = place.start("b", counting(4, &count));
    instance.gate.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 4, "no step twice");
    instance.stop().await;
}
