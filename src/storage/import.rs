//! Moving an installation from a file to a server: every row, with its id. An import that is
//! interrupted, however hard, is taken up where it stopped; until it is over and compared, no daemon
//! opens the target.
//!
//! How far it has got stands in the target, in the transaction of the rows themselves: a row of `job`
//! for each table, and one, [`IMPORT`], that says what is imported. That one stays, ended, as a record.

use std::path::Path;

use super::backend::{Access, Pool, Sql, Tx};
use super::error::StorageError;
use super::migrate;
use super::nul::without_nul_inside;
use super::records::{Imported, Violation};
use super::tables::{TABLES, Table};
use super::{Database, PostgresSettings, StorageSettings};
use crate::domain::clock::Timestamp;

/// The job that stands for the whole.
const IMPORT: &str = "import";
/// The least time that a statement is given, in ms.
const STATEMENT_TIMEOUT_MS: u64 = 3_600_000;
/// Rows written at once.
const BATCH_ROWS_MAX: i64 = 1_000;
/// Bytes of JSON written at once, unless one row is larger.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

const BEGIN: Sql =
    Sql::same("INSERT INTO job (name, due_at, report) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
// Both wait for what an import that was killed had still sent: a server goes on with that for a while.
const BEGUN: Sql = Sql::same("SELECT report, ended_at FROM job WHERE name = $1 FOR UPDATE");
const POSITION: Sql = Sql::same("SELECT position FROM job WHERE name = $1 FOR UPDATE");
const OTHER_JOBS: Sql =
    Sql::same("SELECT COUNT(*) AS lines FROM job WHERE name NOT LIKE 'import%'");
const FORGET_UNITS: Sql = Sql::same(
    "DELETE FROM unit WHERE NOT EXISTS (SELECT 1 FROM account WHERE account.unit = unit.code)",
);
const ADVANCE: Sql = Sql::same("UPDATE job SET position = position + $2 WHERE name = $1");
const FORGET_PROGRESS: Sql = Sql::same("DELETE FROM job WHERE name LIKE 'import:%'");
const END: Sql = Sql::same("UPDATE job SET ended_at = $2 WHERE name = $1");
const UNFINISHED: Sql =
    Sql::same("SELECT 1 AS found FROM job WHERE name = 'import' AND ended_at IS NULL");

// Ids that were given out once are not given out again, also if their rows are gone.
const LAST_IDS: Sql =
    Sql::same("SELECT name, seq FROM sqlite_sequence WHERE seq > 0 ORDER BY name");
const GO_ON_AFTER: Sql = Sql::same("SELECT setval(pg_get_serial_sequence($1, 'id'), $2) AS last");

/// Why nothing, or not everything, was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Only this way is there a need.
    #[error("an import goes from sqlite:// to postgres://")]
    Direction,
    /// There is something in the target that no import of this source has put there.
    #[error(
        "`{place}` is not empty ({what}): an import needs a database of its own; make an empty one, and \
         start no daemon on it before the import is over"
    )]
    NotEmpty {
        /// The target.
        place: String,
        /// What is there.
        what: String,
    },
    /// An earlier import into the target was of something else.
    #[error(
        "`{place}` holds an unfinished import of another file, or of this one before it was written to \
         again: begin anew with an empty database"
    )]
    OtherSource {
        /// The target.
        place: String,
    },
    /// It is over already.
    #[error("`{place}` was imported already: set storage.url to it and start")]
    Over {
        /// The target.
        place: String,
    },
    /// What arrived is not what was sent.
    #[error("table {table} differs after the import: {sent} were sent, {arrived} arrived")]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows, sums and sizes in the source.
        sent: String,
        /// The same in the target.
        arrived: String,
    },
    /// The books do not add up, here and there.
    #[error("the ledger does not add up, in the file already: {} found; see `ledger verify`", .0.len())]
    Ledger(Vec<Violation>),
    /// One of the two failed. Trying again goes on.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Moves the file `from` to the server `to`. `tell` is told of each table before its rows go.
pub(super) async fn import(
    from: &StorageSettings,
    to: &StorageSettings,
    now: Timestamp,
    tell: &mut (dyn FnMut(&'static str, i64) + Send),
) -> Result<Vec<Imported>, ImportError> {
    let (Database::Sqlite { path: from, .. }, Database::Postgres(server)) =
        (&from.database, &to.database)
    else {
        return Err(ImportError::Direction);
    };
    let timeout = to.busy_timeout();
    // Statements here go through whole tables.
    let to = &PostgresSettings {
        statement_timeout_ms: server.statement_timeout_ms.max(STATEMENT_TIMEOUT_MS),
        ..server.clone()
    };
    // Nobody writes to the source as long as this is held.
    let _lock = migrate::lock(from)?;
    let source = Pool::open_file(from, Access::ReadOnly, timeout).await?;
    migrate::check_schema(&source, &from.display().to_string()).await?;
    let target = Pool::connect(to, false, timeout).await?;
    migrate::migrate(&target, &to.place()).await?;

    let mut reading = source.begin_read().await?;
    let sent = marks(&mut reading).await?;
    begin(&target, &to.place(), &source_mark(from, &sent), now).await?;
    for (table, mark) in TABLES.iter().zip(&sent) {
        tell(table.name, mark.lines);
        copy(&source, &target, table).await?;
    }
    finish(&mut reading, &target, &sent, now).await?;
    reading.rollback().await?;
    source.close().await;
    target.close().await;
    Ok(sent
        .iter()
        .zip(&TABLES)
        .map(|(mark, table)| Imported {
            table: table.name,
            rows: mark.lines,
            bytes: mark.bytes,
        })
        .collect())
}

/// Refuses a store whose import is not over.
pub(super) async fn refuse_unfinished(pool: &Pool, place: &str) -> Result<(), StorageError> {
    let mut tx = pool.begin_read().await?;
    let unfinished = tx.query(UNFINISHED).optional().await?;
    tx.rollback().await?;
    match unfinished {
        Some(_) => Err(StorageError::HalfImported {
            place: place.to_owned(),
        }),
        None => Ok(()),
    }
}

/// What a table amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    lines: i64,
    numbers: i64,
    bytes: i64,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            lines,
            numbers,
            bytes,
        } = self;
        write!(f, "{lines} rows (checksum {numbers}, {bytes} bytes)")
    }
}

async fn marks(tx: &mut Tx) -> Result<Vec<Mark>, StorageError> {
    let mut marks = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let row = tx.query(table.mark).one().await?;
        marks.push(Mark {
            lines: row.get("lines")?,
            numbers: row.get("numbers")?,
            bytes: row.get("bytes")?,
        });
    }
    Ok(marks)
}

/// What tells a source from others, and from itself after somebody wrote to it.
fn source_mark(from: &Path, marks: &[Mark]) -> String {
    let of_tables: Vec<_> = marks
        .iter()
        .map(|mark| format!("{}.{}.{}", mark.lines, mark.numbers, mark.bytes))
        .collect();
    serde_json::json!({ "file": from.display().to_string(), "marks": of_tables }).to_string()
}

/// Puts the sign up, or finds the one of an earlier try.
async fn begin(
    target: &Pool,
    place: &str,
    source: &str,
    now: Timestamp,
) -> Result<(), ImportError> {
    let place = || place.to_owned();
    let mut tx = target.begin_write().await?;
    if let Some(row) = tx.query(BEGUN).bind(IMPORT).optional().await? {
        let (report, ended): (Option<String>, Option<Timestamp>) =
            (row.get("report")?, row.get("ended_at")?);
        tx.rollback().await?;
        return match (ended, report.as_deref() == Some(source)) {
            (Some(_), _) => Err(ImportError::Over { place: place() }),
            (None, false) => Err(ImportError::OtherSource { place: place() }),
            (None, true) => Ok(()),
        };
    }
    let other_jobs: i64 = tx.query(OTHER_JOBS).one().await?.get("lines")?;
    // The units are written down when a store is migrated; here the file's own are to be.
    tx.query(FORGET_UNITS).run().await?;
    let filled = marks(&mut tx).await?;
    let filled = TABLES.iter().zip(filled).find(|(_, mark)| mark.lines > 0);
    let what = match (filled, other_jobs) {
        (Some((table, mark)), _) => Some(format!("{} in {}", mark.lines, table.name)),
        (None, 1..) => Some("a daemon was started on it".to_owned()),
        (None, _) => None,
    };
    if let Some(what) = what {
        tx.rollback().await?;
        let place = place();
        return Err(ImportError::NotEmpty { place, what });
    }
    let begin = tx.query(BEGIN).bind(IMPORT).bind(now).bind(source);
    begin.run().await?;
    for table in TABLES {
        let begin = tx.query(BEGIN).bind(progress_of(&table)).bind(now);
        begin.bind(None::<String>).run().await?;
    }
    Ok(tx.commit().await?)
}

fn progress_of(table: &Table) -> String {
    format!("{IMPORT}:{}", table.name)
}

/// Rows on their way.
#[derive(Default)]
pub(super) struct Batch {
    rows: i64,
    json: String,
}

impl Batch {
    pub(super) fn push(&mut self, line: &str) {
        self.json.push(if self.rows == 0 { '[' } else { ',' });
        self.json.push_str(line);
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS_MAX || self.json.len() >= BATCH_BYTES_MAX
    }
}

/// A row as a server can hold it.
fn without_nul(line: String) -> Result<String, StorageError> {
    // Hardly any row has one, and taking rows apart takes time.
    if !line.contains("\\u0000") {
        return Ok(line);
    }
    let damaged = |error| StorageError::Corrupt(format!("a row that is no JSON: {error}"));
    let mut row = serde_json::from_str(&line).map_err(damaged)?;
    without_nul_inside(&mut row);
    Ok(row.to_string())
}

async fn copy(source: &Pool, target: &Pool, table: &Table) -> Result<(), StorageError> {
    let mut tx = target.begin_write().await?;
    let position: i64 = tx
        .query(POSITION)
        .bind(progress_of(table))
        .one()
        .await?
        .get("position")?;
    tx.rollback().await?;
    let Pool::Sqlite(source) = source else {
        return Ok(());
    };
    // The file is locked, so that this connection sees what the others see.
    let mut rows = source.stream(table.read, position);
    let mut batch = Batch::default();
    while let Some(row) = rows.recv().await {
        let line: String = row?.get("line")?;
        batch.push(&without_nul(line)?);
        if batch.is_full() {
            write(target, table, std::mem::take(&mut batch)).await?;
        }
    }
    write(target, table, batch).await
}

/// Rows and progress in one transaction: whenever this process dies, both or neither are there.
async fn write(target: &Pool, table: &Table, batch: Batch) -> Result<(), StorageError> {
    if batch.rows == 0 {
        return Ok(());
    }
    let mut tx = target.begin_write().await?;
    put(&mut tx, table, batch).await?;
    tx.commit().await
}

/// Progress first: whoever asks how far the import has got waits from then on for this transaction.
pub(super) async fn put(tx: &mut Tx, table: &Table, batch: Batch) -> Result<(), StorageError> {
    let name = progress_of(table);
    tx.query(ADVANCE).bind(name).bind(batch.rows).run().await?;
    tx.query(table.write).bind(batch.json + "]").run().await?;
    Ok(())
}

/// Compares, and takes the sign down.
async fn finish(
    reading: &mut Tx,
    target: &Pool,
    sent: &[Mark],
    now: Timestamp,
) -> Result<(), ImportError> {
    let last_ids = reading.query(LAST_IDS).all().await?;
    let here = reading.verify().await?;
    let mut tx = target.begin_write().await?;
    for row in last_ids {
        let (table, last): (String, i64) = (row.get("name")?, row.get("seq")?);
        tx.query(GO_ON_AFTER).bind(table).bind(last).run().await?;
    }
    let arrived = marks(&mut tx).await?;
    for ((table, sent), arrived) in TABLES.iter().zip(sent).zip(&arrived) {
        if sent != arrived {
            return Err(ImportError::Differs {
                table: table.name,
                sent: sent.to_string(),
                arrived: arrived.to_string(),
            });
        }
    }
    // The same rows, so the same books; asked of both, because that is what it is all about.
    let there = tx.verify().await?;
    if let Some(violations) = [there, here].into_iter().find(|found| !found.is_empty()) {
        return Err(ImportError::Ledger(violations));
    }
    tx.query(FORGET_PROGRESS).run().await?;
    tx.query(END).bind(IMPORT).bind(now).run().await?;
    Ok(tx.commit().await?)
}
