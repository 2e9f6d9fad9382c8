//! How an installation stands, on one page.

use serde::Serialize;

use super::instances::InstanceView;
use super::overview::{SourceHealth, health};
use super::schedule::JobView;
use super::{Desk, GateError};
use crate::storage::records::Waiting;

/// How an installation stands.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The daemons on this store, the one seen last first.
    pub instances: Vec<InstanceView>,
    /// Each source that a daemon has looked after.
    pub sources: Vec<SourceHealth>,
    /// What waits.
    pub waiting: Waiting,
    /// What runs on a schedule.
    pub jobs: Vec<JobView>,
}

impl Desk {
    /// How this installation stands. `lease_ms` as for [`Desk::instances`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn overview(&self, lease_ms: i64) -> Result<Overview, GateError> {
        let now = self.clock.now();
        let (sources, waiting) = self
            .storage
            .read(move |tx| {
                Box::pin(async move {
                    let mut sources = Vec::new();
                    for name in tx.source_names().await? {
                        sources.push(health(tx, name).await?);
                    }
                    Ok::<_, GateError>((sources, tx.waiting(now).await?))
                })
            })
            .await?;
        Ok(Overview {
            instances: self.instances(lease_ms).await?.items,
            sources,
            waiting,
            jobs: self.jobs().await?.items,
        })
    }
}
