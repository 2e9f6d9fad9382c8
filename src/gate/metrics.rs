//! What the gate counts, for Prometheus. Names are part of the product: they are listed in the README,
//! and a test holds the two together. Labels are names of sources and words of bookgate, and never
//! anything a stranger chose.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::ids::SourceName;

/// A source, and what came of something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    source: String,
    result: &'static str,
}

/// A source, and the kind of event that it told of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Told {
    source: String,
    event: &'static str,
    state: &'static str,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Of {
    source: String,
}

/// A receiver of notices, and what came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Noticed {
    receiver: String,
    result: &'static str,
}

type Times = Family<Of, Histogram, fn() -> Histogram>;

/// Counters, gauges and histograms of one gate.
pub(super) struct Metrics {
    registry: Registry,
    received: Family<Outcome, Counter>,
    acknowledged_seconds: Times,
    taken_over: Family<Outcome, Counter>,
    filed: Family<Told, Counter>,
    filed_seconds: Times,
    decided: Family<Outcome, Counter>,
    attempts: Family<Outcome, Counter>,
    retries: Family<Of, Counter>,
    dead_letters: Family<Of, Counter>,
    reconciled: Family<Outcome, Counter>,
    notices: Family<Noticed, Counter>,
    circuit: Family<Of, Gauge>,
    subscription_active: Family<Of, Gauge>,
    subscription_failing: Family<Of, Gauge>,
    subscription_unseen: Family<Of, Gauge>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// From a tenth of a millisecond to three seconds.
fn short_times() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 16))
}

/// From a millisecond to a day: what waits for a store that is down waits long.
fn long_times() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 14))
}

fn of(source: &SourceName) -> Of {
    Of {
        source: source.to_string(),
    }
}

fn outcome(source: &SourceName, result: &'static str) -> Outcome {
    Outcome {
        source: source.to_string(),
        result,
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("bookgate"),
            received: Family::default(),
            acknowledged_seconds: Family::new_with_constructor(short_times),
            taken_over: Family::default(),
            filed: Family::default(),
            filed_seconds: Family::new_with_constructor(long_times),
            decided: Family::default(),
            attempts: Family::default(),
            retries: Family::default(),
            dead_letters: Family::default(),
            reconciled: Family::default(),
            notices: Family::default(),
            circuit: Family::default(),
            subscription_active: Family::default(),
            subscription_failing: Family::default(),
            subscription_unseen: Family::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let to = &mut self.registry;
        let help =
            "Webhooks by what came of them: stored, bad_signature, stale_signature, not_stored";
        to.register("webhooks_received", help, self.received.clone());
        let help = "From a webhook's arrival to its answer, of those that were stored";
        let name = "webhook_acknowledged";
        to.register_with_unit(name, help, Unit::Seconds, self.acknowledged_seconds.clone());
        let help =
            "Webhooks that the journal took instead of the store, as it was: down, late, failed";
        to.register("webhooks_taken_over", help, self.taken_over.clone());
        let help = "Stored webhooks by event, and by what they turned out to be";
        to.register("webhooks_filed", help, self.filed.clone());
        let help = "From a webhook's arrival until it was understood and filed";
        to.register_with_unit(
            "webhook_filed",
            help,
            Unit::Seconds,
            self.filed_seconds.clone(),
        );
        let help = "Decisions by outcome: accept, reject, defer";
        to.register("decisions", help, self.decided.clone());
        let help = "Attempts to tell the provider, by how they ended";
        to.register("attempts", help, self.attempts.clone());
        let help = "Attempts that were not the first of their command";
        to.register("retries", help, self.retries.clone());
        let help = "Commands that were given up";
        to.register("dead_letters", help, self.dead_letters.clone());
        let help = "Bookings compared with the provider by what came of it: checked, repaired, deferred; \
                    and failed, sources that could not be";
        to.register("reconciled", help, self.reconciled.clone());
        let help = "Attempts to send notices, by how they ended: taken, refused, unanswered, gone, given_up";
        to.register("notices", help, self.notices.clone());
        let help = "1 while the provider is failing and calls are kept away from it";
        to.register("source_circuit", help, self.circuit.clone());
        let help = "1 while the provider sends to this source, 0 once it has stopped";
        to.register(
            "subscription_active",
            help,
            self.subscription_active.clone(),
        );
        let help = "1 while the provider meets failures; a day later it stops";
        to.register(
            "subscription_failing",
            help,
            self.subscription_failing.clone(),
        );
        let help = "1 while the provider cannot be asked how the subscription is";
        to.register(
            "subscription_unseen",
            help,
            self.subscription_unseen.clone(),
        );
        self
    }

    /// A webhook of a known source was answered, so many seconds after it came if it was stored.
    pub(super) fn received(&self, source: &SourceName, result: &'static str, seconds: f64) {
        self.received.get_or_create(&outcome(source, result)).inc();
        if result == "stored" {
            let times = self.acknowledged_seconds.get_or_create(&of(source));
            times.observe(seconds);
        }
    }

    /// The journal is asked to take a webhook instead of the store, which is down, late or failed.
    pub(super) fn taken_over(&self, source: &SourceName, store: &'static str) {
        self.taken_over.get_or_create(&outcome(source, store)).inc();
    }

    /// A stored webhook was filed, so many seconds after it came. `event` is `other` where it is none
    /// that bookgate knows.
    pub(super) fn filed(
        &self,
        source: &SourceName,
        event: &'static str,
        state: &'static str,
        seconds: f64,
    ) {
        let told = Told {
            source: source.to_string(),
            event,
            state,
        };
        self.filed.get_or_create(&told).inc();
        self.filed_seconds
            .get_or_create(&of(source))
            .observe(seconds);
    }

    /// Something was decided.
    pub(super) fn decided(&self, source: &SourceName, result: &'static str) {
        self.decided.get_or_create(&outcome(source, result)).inc();
    }

    /// An attempt, the `number`th of its command, came to an end.
    pub(super) fn attempted(&self, source: &SourceName, number: usize, result: &'static str) {
        self.attempts.get_or_create(&outcome(source, result)).inc();
        if number > 1 {
            self.retries.get_or_create(&of(source)).inc();
        }
    }

    /// A command was given up.
    pub(super) fn dead_letter(&self, source: &SourceName) {
        self.dead_letters.get_or_create(&of(source)).inc();
    }

    /// So many bookings of a source were compared with what the provider has, with this result.
    pub(super) fn reconciled(&self, source: &SourceName, result: &'static str, more: u64) {
        let counter = self.reconciled.get_or_create(&outcome(source, result));
        counter.inc_by(more);
    }

    /// An attempt to send a notice came to an end.
    pub(super) fn notice(&self, receiver: &str, result: &'static str) {
        let noticed = Noticed {
            receiver: receiver.to_owned(),
            result,
        };
        self.notices.get_or_create(&noticed).inc();
    }

    /// Whether calls are kept away from a provider that is failing.
    pub(super) fn circuit(&self, source: &SourceName, open: bool) {
        self.circuit.get_or_create(&of(source)).set(open.into());
    }

    /// How the webhook subscription of a source was found.
    pub(super) fn subscription(&self, source: &SourceName, active: bool, failing: bool) {
        let of = of(source);
        self.subscription_active
            .get_or_create(&of)
            .set(active.into());
        self.subscription_failing
            .get_or_create(&of)
            .set(failing.into());
        self.subscription_unseen.get_or_create(&of).set(0);
    }

    /// The provider could not be asked for the webhook subscription of a source, or not mend it.
    pub(super) fn subscription_unseen(&self, source: &SourceName) {
        self.subscription_unseen.get_or_create(&of(source)).set(1);
    }

    /// All of it, as Prometheus reads it (OpenMetrics 1.0 text).
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!("../../README.md");

    #[test]
    fn the_readme_lists_every_name() {
        let (metrics, source) = (Metrics::new(), SourceName::new("one"));
        metrics.received(&source, "stored", 0.001);
        metrics.taken_over(&source, "down");
        metrics.filed(&source, "created", "event", 0.001);
        metrics.decided(&source, "accept");
        metrics.attempted(&source, 2, "ok");
        metrics.dead_letter(&source);
        metrics.reconciled(&source, "checked", 3);
        metrics.notice("ops", "taken");
        metrics.circuit(&source, true);
        metrics.subscription(&source, true, false);
        let text = metrics.text();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = types.filter_map(|line| line.split(' ').next());
        let told = |name: &&str| README.contains(&format!("| `{name}` |"));
        let missing: Vec<_> = names.clone().filter(|name| !told(name)).collect();
        assert!(missing.is_empty(), "not in the README: {missing:?}");
        assert_eq!(names.count(), 15, "{text}");
    }
}
