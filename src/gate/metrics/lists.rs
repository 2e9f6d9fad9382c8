//! Lists that web servers keep. Who fetches them is there before the gate: it tells a meter, which the gate
//! shows.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::clock::Timestamp;

/// What came of asking a server for its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// It is another one.
    Changed,
    /// It is the one that is known.
    Same,
    /// There is none that can be used; the last copy goes on.
    Failed,
}

impl Refreshed {
    const ALL: [Self; 3] = [Self::Changed, Self::Same, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refresh {
    list: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    list: String,
}

/// Counts what comes of fetching lists. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct ListMeter {
    refreshes: Family<Refresh, Counter>,
    failing: Family<Of, Gauge>,
    checked_at: Family<Of, Gauge>,
}

fn of(list: &str) -> Of {
    Of {
        list: list.to_owned(),
    }
}

fn refresh(list: &str, result: Refreshed) -> Refresh {
    Refresh {
        list: list.to_owned(),
        result: result.word(),
    }
}

impl ListMeter {
    /// There is such a list, with a copy of this time.
    pub fn expect(&self, list: &str, checked_at: Option<Timestamp>) {
        for result in Refreshed::ALL {
            super::expect(&self.refreshes, &refresh(list, result));
        }
        drop(self.failing.get_or_create(&of(list)));
        if let Some(at) = checked_at {
            self.checked_at.get_or_create(&of(list)).set(at.as_second());
        }
    }

    /// A server was asked for its list.
    pub fn refreshed(&self, list: &str, result: Refreshed, now: Timestamp) {
        self.refreshes.get_or_create(&refresh(list, result)).inc();
        let failed = result == Refreshed::Failed;
        self.failing.get_or_create(&of(list)).set(failed.into());
        if !failed {
            self.checked_at
                .get_or_create(&of(list))
                .set(now.as_second());
        }
    }

    /// No policy names this list any more.
    pub fn forget(&self, list: &str) {
        self.failing.remove(&of(list));
        self.checked_at.remove(&of(list));
        for result in Refreshed::ALL {
            self.refreshes.remove(&refresh(list, result));
        }
    }

    pub(super) fn register(&self, to: &mut Registry) {
        let help = "Times that servers were asked for their lists by what came of it: changed, same, failed";
        to.register("list_refreshes", help, self.refreshes.clone());
        let help = "1 while a list cannot be had from its server and its last copy goes on";
        to.register("list_failing", help, self.failing.clone());
        let help = "When a copy was last known to be its server's list, in seconds since 1970";
        let name = "list_checked_timestamp_seconds";
        to.register(name, help, self.checked_at.clone());
    }
}
