//! A configured source: one provider account whose webhooks come in and whose API is called.

use std::sync::Arc;

use crate::domain::ids::SourceName;
use crate::domain::timeline::Rules;
use crate::provider::Provider;
use crate::provider::signature::Verifier;

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
}
