//! Questions of policies to other servers.

use prometheus_client::encoding::EncodeLabelSet;

use super::Metrics;
use crate::policy::Asker;

/// A criterion that asks another server, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Called {
    policy: String,
    criterion: String,
    result: &'static str,
}

/// A criterion that asks another server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Calls {
    policy: String,
    criterion: String,
}

pub(super) fn called(asker: &Asker, result: &'static str) -> Called {
    Called {
        policy: asker.policy.clone(),
        criterion: asker.criterion.clone(),
        result,
    }
}

impl Metrics {
    /// A question of a policy to another server came to an end, after so many seconds if it was asked.
    pub(in crate::gate) fn callout(
        &self,
        asker: &Asker,
        result: &'static str,
        seconds: Option<f64>,
    ) {
        self.callouts.get_or_create(&called(asker, result)).inc();
        if let Some(seconds) = seconds {
            let calls = Calls {
                policy: asker.policy.clone(),
                criterion: asker.criterion.clone(),
            };
            self.callout_seconds.get_or_create(&calls).observe(seconds);
        }
    }
}
