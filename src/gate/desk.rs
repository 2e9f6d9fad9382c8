//! The desk: what admins look at and change, be it through the admin endpoint of a running gate or
//! by the command line on the store itself. It needs no journal, no policies and no sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::amount::{Unit, UnitCode};
use crate::domain::clock::Clock;
use crate::storage::Storage;

/// Questions and orders of admins. Cheap to clone; what it can do stands in `accounts` and `query`.
#[derive(Clone)]
pub struct Desk {
    pub(super) storage: Storage,
    pub(super) units: Arc<BTreeMap<UnitCode, Unit>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Desk {
    /// A desk on a store. If that was opened for reading, orders are refused.
    pub fn new(
        storage: Storage,
        units: impl IntoIterator<Item = Unit>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let units = units.into_iter().map(|unit| (unit.code.clone(), unit));
        Self {
            storage,
            units: Arc::new(units.collect()),
            clock,
        }
    }
}
