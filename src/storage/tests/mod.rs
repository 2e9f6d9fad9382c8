//! Real files, real transactions. What they share: a place for a file, and rows to put into it.

mod backup;
mod bell;
mod bookings;
mod chains;
mod commands;
pub(super) mod contract;
mod deliveries;
mod filing;
mod import;
mod inbox;
mod instances;
mod jobs;
mod leases;
mod ledger;
mod model;
mod notices;
mod open;
mod others;
mod retention;
mod rivals;
mod shadows;
mod sources;
mod together;
mod verify;
mod waiting;
mod writer;

use super::records::*;
use super::*;
use crate::domain::amount::{Amount, Unit, UnitCode};
use crate::domain::clock::{Timestamp, from_us};
use crate::domain::decision::{Outcome, Terms};
use crate::domain::ids::{ChainId, DecisionId, DeliveryId, SourceName, Uid, UnitKey};
use crate::domain::owner::Owner;

/// Runs statements in one write; `?` inside leaves it with an error.
macro_rules! store {
    ($storage:expr, $tx:ident => $body:expr) => {
        $storage
            .write::<_, StorageError, _>(move |$tx| Box::pin(async move { Ok($body) }))
            .await
    };
}
/// As `store!`, reading.
macro_rules! read {
    ($storage:expr, $tx:ident => $body:expr) => {
        $storage
            .read::<_, StorageError, _>(move |$tx| Box::pin(async move { Ok($body) }))
            .await
    };
}
/// As `store!`, for operations that the ledger may refuse.
macro_rules! post {
    ($storage:expr, $tx:ident => $body:expr) => {
        $storage
            .write::<_, LedgerError, _>(move |$tx| Box::pin(async move { Ok($body) }))
            .await
    };
}
pub(super) use {post, read, store};

use contract::{on_both, settings};

/// A folder that is gone when the test is over, and a store in it.
struct Place {
    folder: tempfile::TempDir,
    settings: StorageSettings,
    storage: Storage,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let storage = Storage::open(&settings).await.unwrap();
        Self {
            folder,
            settings,
            storage,
        }
    }

    fn settings(&self) -> StorageSettings {
        self.settings.clone()
    }

    /// As after a restart.
    async fn reopen(&mut self) {
        self.storage.close().await;
        self.storage = Storage::open(&self.settings()).await.unwrap();
    }

    /// Changes rows behind the back of the store.
    async fn tamper(&self, sql: &'static str) {
        self.tamper_with(Sql::same(sql)).await;
    }

    async fn tamper_with(&self, sql: Sql) {
        store!(self.storage, tx => tx.query(sql).run().await?).unwrap();
    }

    async fn violations(&self) -> Vec<Violation> {
        read!(self.storage, tx => tx.verify().await?).unwrap()
    }
}

fn file_settings(folder: &std::path::Path) -> StorageSettings {
    StorageSettings {
        database: Database::Sqlite {
            path: folder.join("bookgate.db"),
            read_connections: 2,
        },
        busy_timeout_ms: 60_000,
        units: vec![Unit {
            code: credit(),
            scale: 2,
        }],
    }
}

fn credit() -> UnitCode {
    UnitCode::try_from("CREDIT").unwrap()
}

fn credits(minor: i64) -> Amount {
    Amount {
        minor,
        unit: credit(),
    }
}

/// A time, in seconds of a made-up day.
fn at(second: i64) -> Timestamp {
    from_us((1_800_000_000 + second) * 1_000_000)
}

fn source() -> SourceName {
    SourceName::new("front")
}

fn owner(name: &str) -> Owner {
    Owner::parse(&format!("{name}@example.net")).unwrap()
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

fn unit_key(uid: &str) -> UnitKey {
    UnitKey::booking(Uid::new(uid))
}

fn missing(uid: &str) -> FactBody {
    FactBody::Missing { uid: Uid::new(uid) }
}

fn delivery(number: u8) -> NewDelivery {
    NewDelivery {
        source: source(),
        digest: [number; 16],
        received_at: at(i64::from(number)),
        content_type: Some("application/json".to_owned()),
        body: bytes::Bytes::from(vec![number; 3]),
    }
}

fn unparsed() -> DeliveryFilter {
    DeliveryFilter {
        state: Some(DeliveryState::Unparsed),
        ..DeliveryFilter::default()
    }
}

fn filing(state: DeliveryState, trigger: Option<&str>, note: Option<&str>) -> Filing {
    Filing {
        state,
        trigger: trigger.map(str::to_owned),
        note: note.map(str::to_owned),
    }
}

fn decision(chain: ChainId, uid: &str, cost: i64) -> NewDecision {
    let cost = (cost > 0).then(|| credits(cost));
    NewDecision {
        chain,
        source: source(),
        unit: unit_key(uid),
        start: at(9_000),
        end: at(10_800),
        round: 1,
        outcome: Outcome::Accept,
        decider: Decider::Policy,
        policy_id: Some("members".to_owned()),
        policy_hash: Some("h1".to_owned()),
        message: Some("welcome".to_owned()),
        note: None,
        terms: Terms {
            cost,
            ..Terms::free()
        },
        facts: r#"{"now":1}"#.to_owned(),
        trace: r#"["passed"]"#.to_owned(),
        set_hash: Some("s1".to_owned()),
        verdict: Some(r#"{"outcome":"accept"}"#.to_owned()),
        decided_at: at(5),
    }
}

fn new<T>(posted: Posted<T>) -> T {
    match posted {
        Posted::New(value) => value,
        Posted::Duplicate => panic!("it was there already"),
    }
}

impl Tx {
    /// A delivery that was filed as an event, under a chain if any.
    async fn filed(
        &mut self,
        number: u8,
        chain: Option<ChainId>,
    ) -> Result<DeliveryId, StorageError> {
        self.arrive(&[delivery(number)]).await?;
        let id = self.last_unfiled().await?.unwrap();
        let event = filing(DeliveryState::Event, Some("BOOKED"), None);
        self.file_delivery(id, &event, chain, at(100)).await?;
        Ok(id)
    }

    /// A chain with one decision about `uid`.
    async fn decided(
        &mut self,
        uid: &str,
        cost: i64,
    ) -> Result<(ChainId, DecisionId), StorageError> {
        let chain = self.chain_for(&source(), &keys(&[uid]), at(0)).await?;
        let decision = self.insert_decision(&decision(chain, uid, cost)).await?;
        Ok((chain, new(decision)))
    }

    /// A hold request of a new decision about `uid`.
    async fn request(
        &mut self,
        name: &str,
        uid: &str,
        minor: i64,
    ) -> Result<HoldRequest, StorageError> {
        let (chain, decision) = self.decided(uid, minor).await?;
        Ok(HoldRequest {
            owner: owner(name),
            amount: credits(minor),
            chain,
            decision,
            unit: unit_key(uid),
        })
    }
}

fn top_up(name: &str, minor: i64) -> CreditChange {
    CreditChange {
        owner: owner(name),
        amount: credits(minor),
        actor: "token:desk".to_owned(),
        reason: Some("paid in cash".to_owned()),
        metadata: None,
    }
}

fn booking(chain: ChainId, uid: &str, status: &str) -> BookingRow {
    BookingRow {
        source: source(),
        uid: Uid::new(uid),
        seat: None,
        chain,
        number: None,
        status: status.to_owned(),
        outcome: None,
        decision: None,
        settled: true,
        booker: None,
        event_type: None,
        start: Some(at(9_000)),
        end: Some(at(10_800)),
        updated_at: at(1),
        event_type_id: None,
        asked_at: None,
        ended_at: None,
        ended_by: None,
        no_show: None,
    }
}
