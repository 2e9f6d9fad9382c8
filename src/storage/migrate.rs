//! Opening a store: its schema must be ours, and its units must be those of the settings.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::backend::{MODE, Pool, Sql, Tx};
use super::error::StorageError;
use crate::domain::amount::Unit;

// Same numbers, same names: `both_databases_have_the_same_steps` holds them together.
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// What keeps a second daemon away from a file, until it is dropped. It is then given up in so many words: a
/// process that was just begun has all files of this one until it runs its own program, and closing one here
/// would leave the lock to it.
#[derive(Debug)]
pub(super) struct Lock(pub(super) File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the lock that keeps a second daemon away from the file.
pub(super) fn lock(path: &Path) -> Result<Lock, StorageError> {
    let cannot = |error: std::io::Error| StorageError::Open {
        place: path.display().to_string(),
        cause: error.to_string(),
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(MODE)
        .open(PathBuf::from(beside))
        .map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StorageError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Makes the tables of a store that is in memory, where no other connection could.
#[cfg(test)]
pub(super) fn migrate_in_memory(connection: &rusqlite::Connection) -> Result<(), StorageError> {
    for step in SQLITE.iter() {
        connection.execute_batch(step.sql.as_str())?;
    }
    Ok(())
}

/// The newest schema this program has.
pub(super) fn known_schema() -> i64 {
    SQLITE.iter().map(|step| step.version).max().unwrap_or(0)
}

// What there is, is asked of the catalogue of each database.
const HAS_SCHEMA: Sql = Sql::each(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    "SELECT 1 AS name WHERE to_regclass('_sqlx_migrations') IS NOT NULL",
);
const SCHEMA: Sql =
    Sql::same("SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM _sqlx_migrations");

// SQLite's texts are what we write into them.
const ENCODING: Sql = Sql::each(
    "SELECT 'UTF8' AS encoding",
    "SELECT current_setting('server_encoding') AS encoding",
);

/// Refuses a database that cannot hold every name.
async fn check_encoding(pool: &Pool, place: &str) -> Result<(), StorageError> {
    let mut tx = pool.begin_read().await?;
    let encoding: String = tx.query(ENCODING).one().await?.get("encoding")?;
    tx.rollback().await?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StorageError::Open {
        place: place.to_owned(),
        cause: format!(
            "its encoding is {encoding}, and names need UTF8: CREATE DATABASE ... ENCODING 'UTF8' \
             TEMPLATE template0"
        ),
    })
}

async fn found_schema(pool: &Pool) -> Result<i64, StorageError> {
    let mut tx = pool.begin_read().await?;
    let found = match tx.query(HAS_SCHEMA).optional().await? {
        Some(_) => tx.query(SCHEMA).one().await?.get("version")?,
        None => 0,
    };
    tx.rollback().await?;
    Ok(found)
}

/// Refuses a store that is not exactly at our schema.
pub(super) async fn check_schema(pool: &Pool, place: &str) -> Result<(), StorageError> {
    let (found, known) = (found_schema(pool).await?, known_schema());
    let place = place.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(StorageError::OlderSchema {
            place,
            found,
            known,
        }),
        std::cmp::Ordering::Greater => Err(StorageError::NewerSchema {
            place,
            found,
            known,
        }),
    }
}

/// Brings the store to our schema. Of several daemons that start at once, one does it; the others wait
/// for it.
pub(super) async fn migrate(pool: &Pool, place: &str) -> Result<(), StorageError> {
    check_encoding(pool, place).await?;
    let (found, known) = (found_schema(pool).await?, known_schema());
    if found > known {
        let place = place.to_owned();
        return Err(StorageError::NewerSchema {
            place,
            found,
            known,
        });
    }
    let migrated = match pool {
        // `run_direct` is `run` with all bounds such that a task may run it, which `run`'s keep the compiler
        // from seeing.
        Pool::Sqlite(files) => {
            let options = SqliteConnectOptions::new().filename(files.path());
            let mut connection = options.connect().await?;
            let migrated = SQLITE.run_direct(None, &mut connection, false).await;
            connection.close().await?;
            migrated
        }
        // Nothing is locked then, so no server that hangs, and no other daemon, is waited for.
        Pool::Postgres { .. } if found == known => Ok(()),
        Pool::Postgres { pool, .. } => {
            let mut connection = pool.acquire().await?;
            // A step may take as long as it takes, and so may the daemon that is at it; the driver
            // locks the whole (an advisory lock). No other work gets this connection.
            connection.close_on_drop();
            connection.execute(WITHOUT_HASTE).await?;
            POSTGRES.run_direct(None, &mut *connection, false).await
        }
    };
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        // Another daemon, of a later version, was quicker.
        MigrateError::VersionMissing(found) => StorageError::NewerSchema {
            place: place.to_owned(),
            found,
            known,
        },
        other => StorageError::Corrupt(format!("migrating `{place}`: {other}")),
    })
}

const WITHOUT_HASTE: &str = "SET statement_timeout = 0; SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

const SCALE: Sql = Sql::same("SELECT scale FROM unit WHERE code = $1");
const INSERT_UNIT: Sql =
    Sql::same("INSERT INTO unit (code, scale) VALUES ($1, $2) ON CONFLICT (code) DO NOTHING");
const UPDATE_SCALE: Sql = Sql::same("UPDATE unit SET scale = $2 WHERE code = $1");
const UNIT_IS_USED: Sql = Sql::same(
    "SELECT 1 AS used WHERE EXISTS (SELECT 1 FROM account WHERE unit = $1)
         OR EXISTS (SELECT 1 FROM decision WHERE unit = $1)
         OR EXISTS (SELECT 1 FROM waiver WHERE unit = $1)",
);
// On a store of one process nobody can still be at work when it starts.
const CLEAR_LEASES: Sql = Sql::same(
    "UPDATE chain SET lease_owner = NULL, lease_until = NULL, due_at = COALESCE(due_at, updated_at)
     WHERE lease_until IS NOT NULL",
);

/// Writes down the units of the settings; on a file also frees what the last process had leased.
pub(super) async fn prepare(pool: &Pool, units: &[Unit]) -> Result<(), StorageError> {
    let mut tx = pool.begin_write().await?;
    for unit in units {
        record_unit(&mut tx, unit).await?;
    }
    if !tx.has_rivals() {
        tx.query(CLEAR_LEASES).run().await?;
    }
    tx.commit().await
}

async fn record_unit(tx: &mut Tx, unit: &Unit) -> Result<(), StorageError> {
    let wanted = i64::from(unit.scale);
    let Some(row) = tx.query(SCALE).bind(&unit.code).optional().await? else {
        let insert = tx.query(INSERT_UNIT).bind(&unit.code).bind(wanted);
        return insert.run().await.map(drop);
    };
    let stored: i64 = row.get("scale")?;
    if stored == wanted {
        return Ok(());
    }
    let used = tx.query(UNIT_IS_USED).bind(&unit.code).optional().await?;
    if used.is_some() {
        return Err(StorageError::UnitScale {
            unit: unit.code.clone(),
            stored,
            wanted: unit.scale,
        });
    }
    let update = tx.query(UPDATE_SCALE).bind(&unit.code).bind(wanted);
    update.run().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_steps() {
        let names = |steps: &Migrator| -> Vec<(i64, String)> {
            let named = steps.iter();
            named
                .map(|step| (step.version, step.description.to_string()))
                .collect()
        };
        assert_eq!(names(&SQLITE), names(&POSTGRES));
    }

    #[test]
    fn a_lock_is_free_again_even_if_somebody_else_still_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bookgate.db");
        let held = lock(&path).unwrap();
        assert!(matches!(lock(&path), Err(StorageError::Locked { .. })));
        let _elsewhere = held.0.try_clone().unwrap();
        drop(held);
        lock(&path).unwrap();
    }
}
