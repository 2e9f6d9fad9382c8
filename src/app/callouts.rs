//! Who asks other people's servers on behalf of policies.

use std::sync::Arc;

use anyhow::Context;

use crate::domain::clock::Clock;
use crate::provider::callout::{Caller, CalloutSettings, Network};
use crate::settings::Settings;

/// The one who asks, for as long as the daemon runs.
///
/// # Errors
/// The HTTP client cannot be made.
pub fn open_caller(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Caller> {
    let from = &settings.callouts;
    let private = from.allow_private.iter();
    let callouts = CalloutSettings {
        hosts: from.hosts.clone(),
        allow_private: private
            .map(|block| Network::new(block.first, block.prefix_bits))
            .collect(),
        concurrency: from.concurrency as usize,
        concurrency_per_host: from.concurrency_per_host as usize,
        circuit: super::circuit_settings(settings),
    };
    Caller::new(callouts, clock).context("callouts")
}
