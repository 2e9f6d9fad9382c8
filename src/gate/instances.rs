//! Which daemons there are on this store.

use serde::Serialize;

use super::heartbeat::is_alive;
use super::views::Page;
use super::{Desk, Gate, GateError};
use crate::domain::clock::Timestamp;

/// Instances shown, those that live first: more than anyone runs.
const INSTANCES_MAX: u32 = 200;

/// A daemon that works on this store, or did lately.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceView {
    /// Its name, as in leases and attempts; new with every start.
    pub id: String,
    /// The machine it runs on.
    pub host: String,
    /// The version of bookgate.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
    /// Whether that was within the time that a lease lasts. The work of one that is dead has been taken
    /// over.
    pub alive: bool,
}

impl Desk {
    /// The instances that were seen in the last day, the one seen last first. `lease_ms` is the setting
    /// `worker.lease_ms`: who says nothing for so long is dead.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn instances(&self, lease_ms: i64) -> Result<Page<InstanceView>, GateError> {
        let rows = self
            .storage
            .read(|tx| Box::pin(async { Ok::<_, GateError>(tx.instances(INSTANCES_MAX).await?) }))
            .await?;
        let now = self.clock.now();
        let view = |row: crate::storage::records::Instance| InstanceView {
            alive: is_alive(row.seen_at, now, lease_ms),
            id: row.id,
            host: row.host,
            version: row.version,
            started_at: row.started_at,
            seen_at: row.seen_at,
        };
        Ok(Page {
            items: rows.into_iter().map(view).collect(),
            next: None,
        })
    }
}

impl Gate {
    /// As [`Desk::instances`], by this gate's own `lease_ms`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn instances(&self) -> Result<Page<InstanceView>, GateError> {
        self.desk().instances(self.0.settings.lease_ms).await
    }
}
