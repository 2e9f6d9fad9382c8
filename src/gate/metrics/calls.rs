//! What calls to the providers came to. The providers are made before the gate and do not know it: they
//! tell a meter, which the gate shows.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::ids::SourceName;
use crate::provider::client::Effect;
use crate::provider::registry::CallTold;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    source: String,
    kind: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    source: String,
    kind: &'static str,
}

/// Counts calls. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct CallMeter {
    calls: Family<Call, Counter>,
    seconds: Family<Kind, Histogram, fn() -> Histogram>,
}

impl Default for CallMeter {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            // From a millisecond to half a minute.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 16))
            }),
        }
    }
}

impl CallMeter {
    /// Whom the provider of a source tells of its calls.
    pub fn of(&self, source: &SourceName) -> CallTold {
        let (meter, source) = (self.clone(), source.clone());
        for kind in [Effect::Read, Effect::Change] {
            for result in [
                "ok",
                "limited",
                "transient",
                "rejected",
                "not_found",
                "unknown",
            ] {
                super::expect(&meter.calls, &call(&source, kind, result));
            }
        }
        Arc::new(move |effect, result, seconds| meter.told(&source, effect, result, seconds))
    }

    pub(super) fn told(
        &self,
        source: &SourceName,
        effect: Effect,
        result: &'static str,
        seconds: f64,
    ) {
        self.calls
            .get_or_create(&call(source, effect, result))
            .inc();
        let kind = Kind {
            source: source.to_string(),
            kind: word(effect),
        };
        self.seconds.get_or_create(&kind).observe(seconds);
    }

    pub(super) fn register(&self, to: &mut Registry) {
        let help = "Calls to the provider by kind (read, change) and result: ok, limited, transient, rejected, \
                    not_found, unknown";
        to.register("provider_calls", help, self.calls.clone());
        let help = "From a call's sending to the end of its answer";
        to.register_with_unit("provider_call", help, Unit::Seconds, self.seconds.clone());
    }
}

fn call(source: &SourceName, effect: Effect, result: &'static str) -> Call {
    Call {
        source: source.to_string(),
        kind: word(effect),
        result,
    }
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Change => "change",
    }
}
