//! What the gate counts, for Prometheus. Names are part of the product: they are listed in the README,
//! and a test holds the two together. Labels are names of sources and words of bookgate, and never
//! anything a stranger chose. What is rare is there from the start, with 0: else its first time would not
//! look like an increase.
//!
//! What the store knows, and the process, are looked at when they are asked for (`scrape`, `process`).

mod callouts;
mod calls;
mod lists;
mod process;
mod scrape;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::chain::AttemptResult;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome as Decision;
use crate::domain::ids::SourceName;
use crate::policy::PolicySet;

use callouts::{Called, Calls, called};
pub use calls::CallMeter;
pub use lists::{ListMeter, Refreshed};
pub(super) use scrape::{Scrapes, scrape};

/// A source, and what came of something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    source: String,
    result: &'static str,
}

/// A source, a policy, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DecidedBy {
    source: String,
    result: &'static str,
    policy: String,
}

/// What came of something that is about no source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// One decision, to be counted once it is committed.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) outcome: Decision,
    /// The policy's id; `None` if none spoke.
    pub(super) policy: Option<String>,
    /// What policies that are only watched would have decided, by their ids.
    pub(super) shadows: Vec<(String, Decision)>,
}

/// What a policy in shadow would have decided, and what was decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Watched {
    policy: String,
    enforced: &'static str,
    shadow: &'static str,
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

/// What came of something that has no source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Came {
    result: &'static str,
}

pub(super) const STORED: &str = "stored";
type Times = Family<Of, Histogram, fn() -> Histogram>;

/// Counters, gauges and histograms of one gate.
pub(super) struct Metrics {
    registry: Registry,
    received: Family<Outcome, Counter>,
    acknowledged_seconds: Times,
    /// What the two say of webhooks that were stored, by source: each webhook comes this way.
    stored: BTreeMap<SourceName, (Counter, Histogram)>,
    taken_over: Family<Outcome, Counter>,
    filed: Family<Told, Counter>,
    filed_seconds: Times,
    decided: Family<DecidedBy, Counter>,
    shadow_decisions: Family<Watched, Counter>,
    attempts: Family<Outcome, Counter>,
    retries: Family<Of, Counter>,
    dead_letters: Family<Of, Counter>,
    reconciled: Family<Outcome, Counter>,
    notices: Family<Noticed, Counter>,
    callouts: Family<Called, Counter>,
    callout_seconds: Family<Calls, Histogram, fn() -> Histogram>,
    circuit: Family<Of, Gauge>,
    log_ins_failed: Family<Came, Counter>,
    subscription_active: Family<Of, Gauge>,
    subscription_failing: Family<Of, Gauge>,
    subscription_unseen: Family<Of, Gauge>,
    policies: Gauge,
    policies_loaded_at: Gauge,
    policy_loads: Family<Ended, Counter>,
    policy_last_reload_successful: Gauge,
    policy_last_reload_at: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn watched(policy: &str, enforced: Decision, shadow: Decision) -> Watched {
    Watched {
        policy: policy.to_owned(),
        enforced: enforced.as_str(),
        shadow: shadow.as_str(),
    }
}

/// Puts something on the list that has not happened yet.
fn expect<L: Clone + Eq + Hash>(family: &Family<L, Counter>, labels: &L) {
    drop(family.get_or_create(labels));
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
    pub(super) fn new(calls: &CallMeter, lists: &ListMeter) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("bookgate"),
            received: Family::default(),
            acknowledged_seconds: Family::new_with_constructor(short_times),
            stored: BTreeMap::new(),
            taken_over: Family::default(),
            filed: Family::default(),
            filed_seconds: Family::new_with_constructor(long_times),
            decided: Family::default(),
            shadow_decisions: Family::default(),
            attempts: Family::default(),
            retries: Family::default(),
            dead_letters: Family::default(),
            reconciled: Family::default(),
            notices: Family::default(),
            callouts: Family::default(),
            callout_seconds: Family::new_with_constructor(short_times),
            circuit: Family::default(),
            log_ins_failed: Family::default(),
            subscription_active: Family::default(),
            subscription_failing: Family::default(),
            subscription_unseen: Family::default(),
            policies: Gauge::default(),
            policies_loaded_at: Gauge::default(),
            policy_loads: Family::default(),
            policy_last_reload_successful: Gauge::default(),
            policy_last_reload_at: Gauge::default(),
        };
        calls.register(&mut metrics.registry);
        lists.register(&mut metrics.registry);
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
        let help = "Decisions by outcome (accept, reject, defer) and policy, - where none spoke";
        to.register("decisions", help, self.decided.clone());
        let help = "What policies in shadow would have decided, beside what was decided";
        to.register("shadow_decisions", help, self.shadow_decisions.clone());
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
        let help = "Questions of policies to other servers, by how they ended: answered, failed, remembered";
        to.register("callouts", help, self.callouts.clone());
        let help =
            "From a question of a policy to the answer of the other server, all attempts together";
        let times = self.callout_seconds.clone();
        to.register_with_unit("callout", help, Unit::Seconds, times);
        let help = "1 while the provider is failing and calls are kept away from it";
        to.register("source_circuit", help, self.circuit.clone());
        let help = "Wrong tokens at the admin endpoint, by what came of them: delayed, refused";
        to.register("log_ins_failed", help, self.log_ins_failed.clone());
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
        let help = "Policies in force";
        to.register("policies", help, self.policies.clone());
        let help = "When the policies in force were loaded, in seconds since 1970";
        to.register(
            "policies_loaded_timestamp_seconds",
            help,
            self.policies_loaded_at.clone(),
        );
        let help = "Loads of policies, by how they ended: loaded, refused";
        to.register("policy_loads", help, self.policy_loads.clone());
        let help =
            "0 while the policies in the folder are not those in force, because they are wrong";
        to.register(
            "policy_last_reload_successful",
            help,
            self.policy_last_reload_successful.clone(),
        );
        let help = "When the policies' folder was read last, in seconds since 1970";
        to.register(
            "policy_last_reload_timestamp_seconds",
            help,
            self.policy_last_reload_at.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        to.register("build", "This program", build);
        self
    }

    /// Puts everything rare on the list that may happen to a source.
    pub(super) fn expect_source(&mut self, source: &SourceName) {
        let count = self.received.get_or_create_owned(&outcome(source, STORED));
        let times = self.acknowledged_seconds.get_or_create_owned(&of(source));
        self.stored.insert(source.clone(), (count, times));
        for result in ["bad_signature", "stale_signature", "not_stored"] {
            expect(&self.received, &outcome(source, result));
        }
        for result in ["down", "late", "failed"] {
            expect(&self.taken_over, &outcome(source, result));
        }
        for result in AttemptResult::ALL {
            let outcome = outcome(source, result.as_str());
            expect(&self.attempts, &outcome);
        }
        for result in ["checked", "repaired", "deferred", "failed"] {
            expect(&self.reconciled, &outcome(source, result));
        }
        expect(&self.retries, &of(source));
        expect(&self.dead_letters, &of(source));
    }

    /// As [`Metrics::expect_source`], of a receiver of notices.
    pub(super) fn expect_receiver(&self, receiver: &str) {
        for result in ["taken", "refused", "unanswered", "gone", "given_up"] {
            let receiver = receiver.to_owned();
            expect(&self.notices, &Noticed { receiver, result });
        }
    }

    /// These policies are in force since then.
    pub(super) fn policies_loaded<'s>(
        &self,
        set: &PolicySet,
        sources: impl Iterator<Item = &'s SourceName>,
        now: Timestamp,
    ) {
        self.policies
            .set(set.policies().count().try_into().unwrap_or(i64::MAX));
        self.policies_loaded_at.set(now.as_second());
        for result in ["loaded", "refused"] {
            expect(&self.policy_loads, &Ended { result });
        }
        for source in sources {
            let ids = set.policies().map(|policy| Some(policy.id.to_string()));
            for policy in ids.chain([None]) {
                for outcome in Decision::ALL {
                    let decided = Decided {
                        outcome,
                        policy: policy.clone(),
                        shadows: Vec::new(),
                    };
                    self.of_decision(source, &decided);
                }
            }
        }
        for asker in set.askers() {
            for result in ["answered", "failed", "remembered"] {
                expect(&self.callouts, &called(&asker, result));
            }
        }
        for policy in set.shadows() {
            for enforced in Decision::ALL {
                for shadow in Decision::ALL {
                    let watched = watched(&policy.id, enforced, shadow);
                    expect(&self.shadow_decisions, &watched);
                }
            }
        }
    }

    /// The policies' folder was read; what is there was good enough, or not.
    pub(super) fn policies_read(&self, good: bool, now: Timestamp) {
        let result = if good { "loaded" } else { "refused" };
        self.policy_loads.get_or_create(&Ended { result }).inc();
        self.policy_last_reload_successful.set(good.into());
        self.policy_last_reload_at.set(now.as_second());
    }

    fn of_decision(&self, source: &SourceName, decided: &Decided) -> Counter {
        self.decided.get_or_create_owned(&DecidedBy {
            source: source.to_string(),
            result: decided.outcome.as_str(),
            policy: decided.policy.clone().unwrap_or_else(|| "-".to_owned()),
        })
    }

    /// A webhook of a known source was answered, so many seconds after it came if it was stored.
    pub(super) fn received(&self, source: &SourceName, result: &'static str, seconds: f64) {
        match self.stored.get(source) {
            Some((count, times)) if result == STORED => {
                count.inc();
                times.observe(seconds);
            }
            _ => drop(self.received.get_or_create(&outcome(source, result)).inc()),
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

    /// Something was decided, and that is committed.
    pub(super) fn decided(&self, source: &SourceName, decided: &Decided) {
        self.of_decision(source, decided).inc();
        for (policy, shadow) in &decided.shadows {
            let watched = watched(policy, decided.outcome, *shadow);
            self.shadow_decisions.get_or_create(&watched).inc();
        }
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

    /// A wrong token was given at the admin endpoint.
    pub(super) fn log_in_failed(&self, result: &'static str) {
        self.log_ins_failed.get_or_create(&Came { result }).inc();
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

    /// What was counted, as Prometheus reads it (OpenMetrics 1.0 text), but for the end of the text.
    fn write(&self, text: &mut String) {
        // Writing to a text cannot fail.
        let _ = text::encode_registry(text, &self.registry);
    }
}

#[cfg(test)]
mod tests;
