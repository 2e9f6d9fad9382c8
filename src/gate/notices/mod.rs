//! Tells others what happened here. What is to be told is written in the transaction that makes it happen,
//! one row for each receiver that asked for it; `sending` hands it over afterwards, outside of any
//! transaction, until the receiver has it. So nothing is lost, nothing is told that did not happen, and a
//! receiver that is slow or away holds up nobody. A notice may arrive twice, and in any order.

mod balance;
mod list;
mod sending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::report::AttemptReport;
use crate::domain::amount::UnitCode;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::{DecisionId, SourceName};
use crate::domain::notice::Topic;
use crate::domain::owner::Owner;
use crate::notify::{Receiver, TEST, Told};
use crate::storage::records::{NewDecision, NewNotice};
use crate::storage::{StorageError, Tx};

pub(super) use balance::Watched;
pub use list::{NoticeView, NoticesAsked};
pub(super) use sending::run;

/// How much of a notice's digest names it, in bytes.
const MESSAGE_ID_BYTES: usize = 16;

/// Who is told what.
#[derive(Debug, Default)]
pub struct NoticeSettings {
    /// Those who are told.
    pub subscribers: Vec<Subscriber>,
    /// What an account must fall below to be told of, in minor units; none is told of in other units.
    pub low_balance: BTreeMap<UnitCode, i64>,
}

/// Somebody who asked to be told.
#[derive(Debug)]
pub struct Subscriber {
    /// Who.
    pub receiver: Receiver,
    /// Of what.
    pub topics: BTreeSet<Topic>,
}

/// Those who are told, while a gate runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices {
    outlets: Vec<Arc<Outlet>>,
    low_balance: BTreeMap<UnitCode, i64>,
}

/// The way to one receiver.
#[derive(Debug)]
struct Outlet {
    receiver: Receiver,
    topics: BTreeSet<Topic>,
    /// Whether the receiver has said that it wants nothing any more.
    gone: AtomicBool,
    /// Rung when something may have become due.
    bell: Notify,
}

/// What is sent.
#[derive(Serialize)]
struct Body<'b> {
    r#type: &'b str,
    timestamp: Timestamp,
    data: Value,
}

impl Notices {
    pub(super) fn new(settings: NoticeSettings) -> Self {
        let outlet = |subscriber: Subscriber| {
            Arc::new(Outlet {
                receiver: subscriber.receiver,
                topics: subscriber.topics,
                gone: AtomicBool::new(false),
                bell: Notify::new(),
            })
        };
        Self {
            outlets: settings.subscribers.into_iter().map(outlet).collect(),
            low_balance: settings.low_balance,
        }
    }

    /// Has the queues looked at.
    pub(super) fn ring(&self) {
        for outlet in &self.outlets {
            outlet.bell.notify_one();
        }
    }

    /// Tells of a decision; `reasons` are the criteria that a refusal rests on.
    pub(super) async fn decided(
        &self,
        tx: &mut Tx,
        decision: &NewDecision,
        id: DecisionId,
        reasons: &[String],
    ) -> Result<(), StorageError> {
        let topic = match decision.outcome {
            Outcome::Accept | Outcome::Reject => Topic::BookingDecided,
            Outcome::Defer => Topic::BookingDeferred,
        };
        let data = || {
            json!({
                "source": decision.source,
                "booking": decision.unit.uid,
                "seat": decision.unit.seat,
                "start": decision.start,
                "decision": id,
                "outcome": decision.outcome.as_str(),
                "decided_by": decision.decider.to_string(),
                "policy": decision.policy_id,
                "reasons": reasons,
            })
        };
        self.tell(tx, topic, data, decision.decided_at).await
    }

    /// Tells of a command that was given up.
    pub(super) async fn dead_letter(
        &self,
        tx: &mut Tx,
        source: &SourceName,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let data = || {
            json!({
                "source": source,
                "booking": report.unit.uid,
                "seat": report.unit.seat,
                "dead_letter": report.change.id,
                "action": report.change.action,
                "tries": report.change.tries,
                "result": report.result.as_str(),
                "http_status": report.http_status,
            })
        };
        self.tell(tx, Topic::DeadLetterAdded, data, now).await
    }

    /// Tells of a provider that has been failing since then.
    pub(super) async fn failing(
        &self,
        tx: &mut Tx,
        source: &SourceName,
        since: Timestamp,
        http_status: Option<u16>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let data = || json!({ "source": source, "since": since, "http_status": http_status });
        self.tell(tx, Topic::SourceFailing, data, now).await
    }

    /// Tells of a provider that answers again.
    pub(super) async fn recovered(
        &self,
        tx: &mut Tx,
        source: &SourceName,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let data = || json!({ "source": source, "since": since });
        self.tell(tx, Topic::SourceRecovered, data, now).await
    }

    /// What an account in this unit must fall below to be told of, if anybody is told.
    pub(super) fn low_balance(&self, unit: &UnitCode) -> Option<i64> {
        let asked = |outlet: &Arc<Outlet>| outlet.topics.contains(&Topic::BalanceLow);
        let threshold = self.low_balance.get(unit).copied();
        threshold.filter(|_| self.outlets.iter().any(asked))
    }

    /// Tells of an account that has become too low. This is the one notice that names a person: there is
    /// nothing else to know an account by.
    pub(super) async fn low(
        &self,
        tx: &mut Tx,
        owner: &Owner,
        unit: &UnitCode,
        (available, threshold): (String, String),
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let data = || {
            json!({
                "owner": owner,
                "unit": unit,
                "available": available,
                "threshold": threshold,
            })
        };
        self.tell(tx, Topic::BalanceLow, data, now).await
    }

    /// Writes a notice for everybody who asked for it. The store takes it together with what it tells of.
    async fn tell(
        &self,
        tx: &mut Tx,
        topic: Topic,
        data: impl Fn() -> Value,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let asked = |outlet: &&Arc<Outlet>| outlet.topics.contains(&topic);
        let mut written = None;
        for outlet in self.outlets.iter().filter(asked) {
            let (message, body) =
                written.get_or_insert_with(|| message(topic.as_str(), now, data()));
            let notice = NewNotice {
                receiver: outlet.receiver.name().to_owned(),
                message: message.clone(),
                topic,
                body: body.clone(),
            };
            tx.put_notice(&notice, now).await?;
        }
        Ok(())
    }
}

/// A notice's id and body. It is named by what it says: the same is the same at every try, and another
/// one is never taken for it, not even after a backup was restored.
fn message(kind: &str, now: Timestamp, data: Value) -> (String, String) {
    let body = Body {
        r#type: kind,
        timestamp: now,
        data,
    };
    let body = super::decide::to_json(&body);
    let digest = Sha256::digest(body.as_bytes());
    let id = hex::encode(&digest[..MESSAGE_ID_BYTES]);
    (format!("msg_{id}"), body)
}

/// Sends a notice that tells of nothing, at once and without the store.
pub async fn send_test(receiver: &Receiver, now: Timestamp) -> Told {
    let data = json!({ "receiver": receiver.name() });
    let (message, body) = message(TEST, now, data);
    receiver.send(&message, &body, now).await
}

impl Outlet {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}
