//! What is looked at when Prometheus asks: journal, process, and what waits in the store. The store is
//! asked once in a few seconds at the most, however many ask, and not for long: where it does not answer,
//! what it knows is left out.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::{Metrics, process};
use crate::domain::clock::{Timestamp, ms_between, plus_ms};
use crate::gate::Inner;
use crate::journal::Depth;
use crate::storage::StorageError;
use crate::storage::records::{JobRow, Pile, Waiting};

/// How long what the store has said is good for, in ms.
const GOOD_FOR_MS: i64 = 5_000;
/// How long the store may take to say it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the store says.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) waiting: Waiting,
    pub(super) instances: i64,
    pub(super) jobs: Vec<JobRow>,
}

/// The last look at the store, and when that was.
#[derive(Debug, Default)]
pub(in crate::gate) struct Scrapes(Mutex<Option<(Timestamp, Option<Seen>)>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfJob {
    // Prometheus calls what it scrapes a job, and would rename ours.
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

/// Everything, as Prometheus reads it.
pub(in crate::gate) async fn scrape(gate: &Inner) -> String {
    for source in gate.sources.values() {
        let open = source.health().failing_since.is_some();
        gate.metrics.circuit(&source.name, open);
    }
    // Whoever asks at the same time waits for the same look.
    let mut last = gate.scrapes.0.lock().await;
    let now = gate.now();
    let good = |at: Timestamp| (0..GOOD_FOR_MS).contains(&ms_between(at, now));
    if !last.as_ref().is_some_and(|(at, _)| good(*at)) {
        *last = Some((now, look(gate, now).await));
    }
    let seen = last.as_ref().and_then(|(_, seen)| seen.as_ref());
    write_all(&gate.metrics, &gate.journal.depth(), seen, now)
}

async fn look(gate: &Inner, now: Timestamp) -> Option<Seen> {
    if !gate.storage.seems_well() {
        return None;
    }
    let lease_ms = gate.settings.lease_ms;
    let looking = gate.storage.read(move |tx| {
        Box::pin(async move {
            let (after, before) = (plus_ms(now, -lease_ms), plus_ms(now, lease_ms));
            Ok::<_, StorageError>(Seen {
                waiting: tx.waiting(now).await?,
                instances: tx.count_instances(after, before).await?,
                jobs: tx.jobs().await?,
            })
        })
    });
    tokio::time::timeout(PATIENCE, looking).await.ok()?.ok()
}

/// All there is to tell.
pub(super) fn write_all(
    metrics: &Metrics,
    journal: &Depth,
    seen: Option<&Seen>,
    now: Timestamp,
) -> String {
    let mut text = String::new();
    metrics.write(&mut text);
    let mut looked = Looked {
        registry: Registry::with_prefix("bookgate"),
        now,
    };
    looked.journal(journal);
    let help = "1 while the store answers";
    looked.number("store_up", help, i64::from(seen.is_some()));
    if let Some(seen) = seen {
        looked.waiting(&seen.waiting);
        let help = "Daemons on this store that live";
        looked.number("instances", help, seen.instances);
        looked.jobs(&seen.jobs);
    }
    // Writing to a text cannot fail.
    let _ = text::encode_registry(&mut text, &looked.registry);
    process::write(&mut text);
    let _ = text::encode_eof(&mut text);
    text
}

/// Gauges that hold for this moment only.
struct Looked {
    registry: Registry,
    now: Timestamp,
}

impl Looked {
    fn number(&mut self, name: &str, help: &str, value: i64) {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        self.registry.register(name, help, gauge);
    }

    /// How long ago something was, in seconds; 0 if there is nothing, or it is yet to come.
    fn age(&mut self, name: &str, help: &str, since: Option<Timestamp>) {
        let ms = since.map_or(0, |since| ms_between(since, self.now).max(0));
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(ms as f64 / 1_000.0);
        self.registry.register(name, help, gauge);
    }

    fn journal(&mut self, depth: &Depth) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let help = "Webhooks in the journal that are not in the store yet";
        self.number("journal_records", help, whole(depth.records));
        let help = "Size of the journal on disk";
        self.number("journal_bytes", help, whole(depth.bytes));
        let help = "How large the journal may grow";
        self.number("journal_bytes_max", help, whole(depth.bytes_max));
        let help = "Age of the oldest webhook in the journal";
        self.age("journal_oldest_seconds", help, depth.oldest);
    }

    fn waiting(&mut self, waiting: &Waiting) {
        let mut pile = |name: &str, help: &str, pile: &Pile| {
            self.number(name, help, pile.number);
        };
        let help = "Stored webhooks that are not understood and filed yet, up to 10000";
        pile("webhooks_unfiled", help, &waiting.unfiled);
        let help = "Bookings that wait for a decision, up to 500";
        pile("bookings_undecided", help, &waiting.undecided);
        let help = "Bookings that wait for a person, up to 10000";
        pile("bookings_deferred", help, &waiting.deferred);
        let help = "Calls to providers that are to be made, now or at their next try, up to 10000";
        pile("calls_waiting", help, &waiting.calls);
        let help = "Calls that were given up and that nobody has seen to, up to 10000";
        pile("dead_letters_waiting", help, &waiting.dead_letters);
        let help = "Age of the oldest webhook that is not filed yet";
        self.age(
            "webhook_unfiled_oldest_seconds",
            help,
            waiting.unfiled.since,
        );
        let help =
            "For how long the oldest booking has waited for a decision, since its last webhook";
        self.age(
            "booking_undecided_oldest_seconds",
            help,
            waiting.undecided.since,
        );
        let help = "For how long the oldest booking has waited for a person";
        self.age(
            "booking_deferred_oldest_seconds",
            help,
            waiting.deferred.since,
        );
        let help = "For how long the oldest call to a provider has waited";
        self.age("call_waiting_oldest_seconds", help, waiting.calls.since);
        let help = "For how long the booking that is due longest has waited for a worker";
        self.age("work_overdue_seconds", help, waiting.overdue_since);
        let notices = Family::<OfState, Gauge>::default();
        for (state, pile) in [
            ("waiting", &waiting.notices),
            ("given_up", &waiting.notices_given_up),
        ] {
            notices.get_or_create(&OfState { state }).set(pile.number);
        }
        let help = "Notices that were not taken, by state: waiting, given_up; up to 10000 each";
        self.registry.register("notices_untaken", help, notices);
    }

    fn jobs(&mut self, jobs: &[JobRow]) {
        let ended = Family::<OfJob, Gauge>::default();
        let failed = Family::<OfJob, Gauge>::default();
        for job in jobs {
            let of = OfJob {
                name: job.name.clone(),
            };
            if let Some(at) = job.ended_at {
                ended.get_or_create(&of).set(at.as_second());
            }
            failed
                .get_or_create(&of)
                .set(i64::from(reported(job, "failed").is_some()));
        }
        let help = "When each job's last run ended, in seconds since 1970";
        self.registry
            .register("job_ended_timestamp_seconds", help, ended);
        let help = "1 if a job's last run failed, or reported something that did";
        self.registry.register("job_failed", help, failed);
        let ledger = jobs
            .iter()
            .find(|job| job.name == crate::gate::verification::NAME);
        let of_ledger = |key| ledger.and_then(|job| reported(job, key)?.as_i64());
        if let Some(violations) = of_ledger("violations") {
            let help = "What the last check of the ledger found wrong";
            self.number("ledger_violations", help, violations);
        }
        if let Some(took_ms) = of_ledger("took_ms") {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(took_ms as f64 / 1_000.0);
            let help = "How long the last check of the ledger took";
            self.registry.register("ledger_verify_seconds", help, gauge);
        }
    }
}

/// What a job's last run reported under this key.
fn reported(job: &JobRow, key: &str) -> Option<serde_json::Value> {
    let report: serde_json::Value = serde_json::from_str(job.report.as_deref()?).ok()?;
    report.get(key).cloned()
}
