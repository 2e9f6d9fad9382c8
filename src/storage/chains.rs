//! Chains: found by any of their keys, joined when two turn out to be one, and what is known of
//! each. Who may work a chain is told in [`super::leases`].

use std::sync::LazyLock;

use super::accounts;
use super::backend::{Bundle, Row, Sql, Tx, Value, inserted};
use super::commands;
use super::decisions;
use super::error::StorageError;
use super::nul::without_nul;
use super::records::{ChainRecord, Fact, FactBody, Lease};
use super::words::{earlier, from_json, json};
use crate::domain::clock::Timestamp;
use crate::domain::event::BookingEvent;
use crate::domain::ids::{ChainId, DeliveryId, SourceName};

const FIND: Sql = Sql::same("SELECT chain_id FROM chain_key WHERE source = $1 AND key = $2");
const INSERT: Sql = Sql::same(
    "INSERT INTO chain (source, created_at, updated_at) VALUES ($1, $2, $2) RETURNING id",
);
// A list of names is an array on a server, and JSON on a file.
const FIND_ALL: Sql = Sql::each(
    "SELECT key, chain_id FROM chain_key
     WHERE source = $1 AND key IN (SELECT value FROM json_each($2))",
    "SELECT key, chain_id FROM chain_key WHERE source = $1 AND key = ANY($2::text[])",
);
const INSERT_KEYS: Sql = Sql::each(
    "INSERT INTO chain_key (source, key, chain_id)
     SELECT $1, value, $3 FROM json_each($2) WHERE TRUE ON CONFLICT (source, key) DO NOTHING",
    "INSERT INTO chain_key (source, key, chain_id)
     SELECT $1, key, $3 FROM UNNEST($2::text[]) AS new (key)
     ON CONFLICT (source, key) DO NOTHING",
);

const DUE_AND_LEASE: Sql = Sql::same("SELECT due_at, lease_until FROM chain WHERE id = $1");
/// All that belongs to a chain goes over to the one it is merged into. `merged_into` is moved too,
/// so that it always names the survivor, however often that was merged.
const MOVE: [Sql; 9] = [
    Sql::same("UPDATE chain_key SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE delivery SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE fact SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE decision SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE command SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE hold SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE waiver SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE booking SET chain_id = $2 WHERE chain_id = $1"),
    Sql::same("UPDATE chain SET merged_into = $2 WHERE merged_into = $1"),
];
// The fence goes up: whoever works the chain that is gone loses its lease.
const MERGE_AWAY: Sql = Sql::same(
    "UPDATE chain SET merged_into = $2, due_at = NULL, lease_owner = NULL, lease_until = NULL,
         lease_fence = lease_fence + 1, version = version + 1, updated_at = $3
     WHERE id = $1",
);
// By two: at version 1 nobody has known of a chain more than the one thing that it was told (`load_new_chain`).
const GROW: Sql =
    Sql::same("UPDATE chain SET version = version + 2, due_at = $2, updated_at = $3 WHERE id = $1");

const INSERT_FACT: Sql = Sql::same(
    "INSERT INTO fact (chain_id, delivery_id, received_at, body) VALUES ($1, $2, $3, $4)",
)
.in_sets();
const TOUCH: Sql = Sql::same(
    "UPDATE chain SET version = version + 1, updated_at = $2,
         due_at = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN due_at
                       WHEN due_at IS NULL OR due_at > $3 THEN $3
                       ELSE due_at END
     WHERE id = $1 AND merged_into IS NULL",
)
.in_sets();

const CHAIN: Sql =
    Sql::same("SELECT source, version FROM chain WHERE id = $1 AND merged_into IS NULL");
const FACTS: Sql = Sql::same("SELECT received_at, body FROM fact WHERE chain_id = $1 ORDER BY id");
const FIRST_FACT: Sql =
    Sql::same("SELECT received_at, body FROM fact WHERE chain_id = $1").in_sets();

static LOAD: LazyLock<Bundle> = LazyLock::new(|| Bundle::new(&ALL));
static LOAD_DECISIONS: LazyLock<Bundle> = LazyLock::new(|| Bundle::new(&DECIDED));
/// All that is stored of a chain. A step may change what stands behind the facts.
static ALL: [Sql; 7] = [
    CHAIN,
    FACTS,
    decisions::OF_CHAIN,
    commands::OF_CHAIN,
    commands::ATTEMPTS_OF_CHAIN,
    accounts::HOLDS,
    accounts::WAIVERS,
];

/// What a decision adds.
static DECIDED: [Sql; 3] = [decisions::OF_CHAIN, accounts::HOLDS, accounts::WAIVERS];

impl Tx {
    /// The chain that has any of these keys; made if there is none. If the keys name several, they
    /// are merged into the oldest, which gets everything the others had, a new version, and the
    /// earliest of their due times. Leases of the others are void. The chain is locked.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if another transaction has just filed the same booking; or if the
    /// store fails.
    pub async fn chain_for(
        &mut self,
        source: &SourceName,
        keys: &[String],
        now: Timestamp,
    ) -> Result<ChainId, StorageError> {
        // A server takes no NUL, and a file does in its own way.
        let mut names: Vec<_> = keys
            .iter()
            .map(|key| without_nul(key).into_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        let rivals = self.has_rivals();
        let (found, unknown) = self.find_chains(source, &names).await?;
        let chain = match found.split_first() {
            Some((&oldest, others)) => {
                for &other in others {
                    self.merge(other, oldest, now).await?;
                }
                oldest
            }
            None => {
                let insert = self.query(INSERT).bind(source).bind(now);
                inserted(insert.new_id().await?).map(ChainId)?
            }
        };
        if !unknown.is_empty() {
            let count = unknown.len() as u64;
            let insert = self.query(INSERT_KEYS).bind(source);
            let insert = insert.bind(list(&unknown, rivals)?).bind(chain);
            if insert.run().await? < count {
                let text = "another transaction filed the same booking";
                return Err(StorageError::Conflict(text.to_owned()));
            }
        }
        Ok(chain)
    }

    /// The chains that have any of these names, locked, oldest first; and the names that none has.
    async fn find_chains<'k>(
        &mut self,
        source: &SourceName,
        names: &'k [String],
    ) -> Result<(Vec<ChainId>, Vec<&'k str>), StorageError> {
        let rivals = self.has_rivals();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut locked = Vec::new();
        loop {
            let find = self.query(FIND_ALL).bind(source);
            let rows = find.bind(list(&all, rivals)?).all().await?;
            let mut found = Vec::with_capacity(rows.len());
            let mut known: Vec<String> = Vec::with_capacity(rows.len());
            for row in &rows {
                found.push(row.get("chain_id")?);
                known.push(row.get("key")?);
            }
            let unknown = all.iter().copied();
            let unknown = unknown.filter(|name| !known.iter().any(|known| known == name));
            let unknown: Vec<_> = unknown.collect();
            found.sort_unstable();
            found.dedup();
            // Until it is locked, a chain may be merged into another one; then its keys say so.
            if !rivals || locked == found {
                return Ok((found, unknown));
            }
            for &chain in &found {
                self.lock_chain(chain).await?;
            }
            locked = found;
        }
    }

    /// The chain that has this key.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn find_chain(
        &mut self,
        source: &SourceName,
        key: &str,
    ) -> Result<Option<ChainId>, StorageError> {
        let row = self.query(FIND).bind(source).bind(key).optional().await?;
        row.map(|row| row.get("chain_id")).transpose()
    }

    async fn merge(
        &mut self,
        gone: ChainId,
        into: ChainId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let row = self.query(DUE_AND_LEASE).bind(gone).one().await?;
        let (gone_due, leased) = (row.get("due_at")?, row.get("lease_until")?);
        // Work that was under way on the lost lease has to be taken up again.
        let lost: Option<Timestamp> = leased;
        let due = earlier(gone_due, lost.map(|_| now));
        let row = self.query(DUE_AND_LEASE).bind(into).one().await?;
        let due = earlier(due, row.get("due_at")?);
        for sql in MOVE {
            self.query(sql).bind(gone).bind(into).run().await?;
        }
        let away = self.query(MERGE_AWAY).bind(gone).bind(into).bind(now);
        away.run().await?;
        let grow = self.query(GROW).bind(into).bind(due).bind(now);
        grow.run().await.map(drop)
    }

    /// Adds to what is known of a chain, and so makes a new version of it, due at `due` unless it is due
    /// earlier; `None` if nobody shall look at it for this.
    ///
    /// # Errors
    /// [`StorageError::Refused`] if that delivery has given a fact already,
    /// [`StorageError::Missing`] if there is no such chain or it was merged away.
    pub async fn append_fact(
        &mut self,
        chain: ChainId,
        delivery: Option<DeliveryId>,
        body: &FactBody,
        received_at: Timestamp,
        due: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let insert = self.query(INSERT_FACT).bind(chain).bind(delivery);
        insert.bind(received_at).bind(json(body)?).run().await?;
        self.touch_chain(chain, received_at, due).await
    }

    /// Notes that what is known of a chain has changed.
    pub(super) async fn touch_chain(
        &mut self,
        chain: ChainId,
        at: Timestamp,
        due: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let touch = self.query(TOUCH).bind(chain).bind(at).bind(due);
        match touch.run().await? {
            1 => Ok(()),
            _ => Err(missing(chain)),
        }
    }

    /// Whether this was told of the chain before: the same thing, of the same booking, at the same time
    /// of the provider. A provider may tell everything twice, in bodies that are not the same.
    ///
    /// # Errors
    /// If the store fails, or has something this version cannot read.
    pub async fn was_told(
        &mut self,
        chain: ChainId,
        event: &BookingEvent,
    ) -> Result<bool, StorageError> {
        if event.sent_at.is_none() {
            return Ok(false);
        }
        for row in self.query(FACTS).bind(chain).all().await? {
            if let FactBody::Event(known) = fact(&row)?.body
                && known.is_copy_of(event)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All that is stored of a chain. `None` if there is none, or it was merged away.
    ///
    /// # Errors
    /// If the store fails, or has something this version cannot read.
    pub async fn load_chain(
        &mut self,
        chain: ChainId,
    ) -> Result<Option<ChainRecord>, StorageError> {
        let mut parts = self.ask(&LOAD, chain).await?;
        let changing = parts.split_off(2);
        let (Some(row), facts) = (parts[0].first(), &parts[1]) else {
            return Ok(None);
        };
        let record = told(chain, row.get("source")?, row.get("version")?, facts)?;
        with_changing(record, &changing).map(Some)
    }

    /// As [`Tx::load_chain`], of a chain that was told one thing and is leased for the first time: nothing can
    /// have been done about it yet, so nothing else is asked for. `None` if it is another one. Only for the
    /// first step under this lease.
    ///
    /// # Errors
    /// As [`Tx::load_chain`].
    pub async fn load_new_chain(
        &mut self,
        lease: &Lease,
        version: i64,
    ) -> Result<Option<ChainRecord>, StorageError> {
        if (lease.fence, version) != (1, 1) {
            return Ok(None);
        }
        let facts = self.query(FIRST_FACT).bind(lease.chain).all().await?;
        told(lease.chain, lease.source.clone(), version, &facts).map(Some)
    }

    /// Brings the decisions of a record up to date after this transaction has made some, with what they
    /// hold and waive. The chain has to be locked.
    ///
    /// # Errors
    /// As [`Tx::load_chain`].
    pub async fn load_decisions(
        &mut self,
        mut record: ChainRecord,
    ) -> Result<ChainRecord, StorageError> {
        let answers = self.ask(&LOAD_DECISIONS, record.chain).await?;
        let [decisions, holds, waivers] = answers.as_slice() else {
            return Err(missing_part());
        };
        set_decisions(&mut record, decisions, holds, waivers)?;
        Ok(record)
    }
}

/// The record of what a chain was told, and of nothing else.
fn told(
    chain: ChainId,
    source: SourceName,
    version: i64,
    facts: &[Row],
) -> Result<ChainRecord, StorageError> {
    Ok(ChainRecord {
        chain,
        source,
        version,
        facts: facts.iter().map(fact).collect::<Result<_, _>>()?,
        decisions: Vec::new(),
        commands: Vec::new(),
        holds: Vec::new(),
        waivers: Vec::new(),
    })
}

/// The record with the answers to what a step may change.
fn with_changing(
    mut record: ChainRecord,
    answers: &[Vec<Row>],
) -> Result<ChainRecord, StorageError> {
    let [decisions, commands, attempts, holds, waivers] = answers else {
        return Err(missing_part());
    };
    set_decisions(&mut record, decisions, holds, waivers)?;
    record.commands = commands::with_attempts(commands, attempts)?;
    Ok(record)
}

fn set_decisions(
    record: &mut ChainRecord,
    decisions: &[Row],
    holds: &[Row],
    waivers: &[Row],
) -> Result<(), StorageError> {
    let decisions = decisions.iter().map(decisions::decision);
    record.decisions = decisions.collect::<Result<_, _>>()?;
    record.holds = holds.iter().map(accounts::hold).collect::<Result<_, _>>()?;
    let waivers = waivers.iter().map(|row| row.get("decision_id"));
    record.waivers = waivers.collect::<Result<_, _>>()?;
    Ok(())
}

fn missing_part() -> StorageError {
    StorageError::Corrupt("a part of a chain is missing".to_owned())
}

/// A list of names, as the database takes it.
fn list(names: &[&str], on_a_server: bool) -> Result<Value, StorageError> {
    if on_a_server {
        let names = names.iter().map(|&name| Some(name.to_owned()));
        return Ok(Value::Texts(names.collect()));
    }
    Ok(Value::Text(Some(json(&names)?)))
}

fn missing(chain: ChainId) -> StorageError {
    StorageError::Missing {
        what: "chain",
        id: chain.0,
    }
}

fn fact(row: &Row) -> Result<Fact, StorageError> {
    Ok(Fact {
        received_at: row.get("received_at")?,
        body: from_json(row, "body")?,
    })
}
