//! A configured source: one provider account whose webhooks come in and whose API is called.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use super::Keeping;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::SourceName;
use crate::domain::timeline::Rules;
use crate::provider::Provider;
use crate::provider::circuit::Health;
use crate::provider::signature::Verifier;

/// A wait that an attempt may have inside, in ms: longer ones are waited for outside, without a lease.
const PATIENCE_MS: i64 = 1_000;
/// Calls that an attempt mostly makes: it reads, then acts.
const CALLS_PER_ATTEMPT: i64 = 2;

/// One configured instance of a provider.
pub struct Source {
    /// Its name, as in `/webhooks/{source}`.
    pub name: SourceName,
    /// Its provider.
    pub provider: Arc<dyn Provider>,
    /// Checks its signatures; `None` only where the settings say `verification = "none"`.
    pub verifier: Option<Verifier>,
    /// How its bookings are treated.
    pub rules: Rules,
    /// What is done about its webhook subscription; `None` if an admin looks after that.
    pub keeping: Option<Keeping>,
    /// The last turn that was promised to an attempt that had to wait for the rate limit.
    promised: Mutex<Timestamp>,
    /// The number of the last news of its provider's health that the store has.
    pub(super) health_told: AtomicU64,
}

impl Source {
    /// A source that has promised nothing yet.
    pub fn new(
        name: SourceName,
        provider: Arc<dyn Provider>,
        verifier: Option<Verifier>,
        rules: Rules,
    ) -> Self {
        Self {
            name,
            provider,
            verifier,
            rules,
            keeping: None,
            promised: Mutex::new(Timestamp::MIN),
            health_told: AtomicU64::new(0),
        }
    }

    /// How its provider was found last.
    pub(super) fn health(&self) -> Health {
        let circuit = self.provider.circuit();
        circuit.map_or_else(Health::default, |circuit| *circuit.health().borrow())
    }

    /// Forgets the turns that were promised: the clock was put back, and they lie too far ahead.
    pub(super) fn forget_turns(&self) {
        *self.promised.lock().unwrap_or_else(PoisonError::into_inner) = Timestamp::MIN;
    }

    /// When an attempt should be begun, if the rate limit, or an outage of the provider,
    /// keeps it from beginning now. Those who wait
    /// get one turn after the other, so that they do not all come back at once to be sent away again.
    pub(super) fn turn(&self, now: Timestamp) -> Option<Timestamp> {
        let free_at = match self.provider.next_call_at() {
            Some(free_at) if free_at > plus_ms(now, PATIENCE_MS) => free_at,
            _ => self.provider.circuit()?.take_attempt()?,
        };
        let gap = CALLS_PER_ATTEMPT * self.provider.call_interval_ms();
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        *promised = free_at.max(plus_ms(*promised, gap));
        Some(*promised)
    }
}
