//! SQLite: how a file is opened, and how a statement is run on it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Statement};

use super::files::Files;
use super::value::{Cell, FileRow};
use super::{Pool, Row, STATEMENTS_MAX, Sql, Value};
use crate::storage::error::StorageError;

/// Files that are made are nobody else's to read: they say who booked what.
pub(in crate::storage) const MODE: u32 = 0o600;
/// How a statement ends that returns the id of the row it inserts.
const RETURNING_ID: &str = "RETURNING id";

/// How connections of one pool are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Access {
    /// Creates the file if there is none. One connection: the writer's.
    Write,
    /// Folds the log back into the file, beside the writer. One connection.
    Checkpoint,
    /// Reads, in the process that also writes.
    Read {
        /// Connections at most.
        connections: u32,
    },
    /// Reads beside a process that writes; never changes the file.
    ReadOnly,
    /// As `ReadOnly`, and may write a copy to another file.
    Copy,
}

impl Access {
    fn flags(self) -> OpenFlags {
        // A connection is used by one thread at a time.
        let mode = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match self {
            Self::Write => mode | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Self::Checkpoint | Self::Read { .. } => mode | OpenFlags::SQLITE_OPEN_READ_WRITE,
            Self::ReadOnly | Self::Copy => mode | OpenFlags::SQLITE_OPEN_READ_ONLY,
        }
    }

    /// What is set on each connection.
    fn pragmas(self) -> &'static str {
        match self {
            // Folding the log back is left to its own connection: it must not delay a commit. What a
            // savepoint may take back is noted in memory, not in a file made for each statement. The
            // cache is 8 MiB: the upper levels of all trees; more spares no reading, also of a large file.
            Self::Write | Self::Checkpoint => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;
                 PRAGMA cache_size = -8192;"
            }
            Self::Read { .. } | Self::ReadOnly => "PRAGMA query_only = ON;",
            // `query_only` would forbid to write the copy, too.
            Self::Copy => "",
        }
    }
}

impl Pool {
    /// To a file that need not be usable yet.
    pub(in crate::storage) fn to_file(path: &Path, access: Access, busy_timeout: Duration) -> Self {
        Self::Sqlite(Files::to(path, access, busy_timeout))
    }

    /// As [`Pool::to_file`]; one that cannot be opened is found out here.
    pub(in crate::storage) async fn open_file(
        path: &Path,
        access: Access,
        busy_timeout: Duration,
    ) -> Result<Self, StorageError> {
        let pool = Self::to_file(path, access, busy_timeout);
        pool.reach(busy_timeout).await?;
        Ok(pool)
    }

    /// Writes one consistent state of the file to another one, compact. That must be empty.
    pub(in crate::storage) async fn copy_to(&self, file: &Path) -> Result<(), StorageError> {
        const COPY: &str = "VACUUM INTO $1";
        let file = file
            .to_str()
            .ok_or_else(|| StorageError::Refused(format!("`{}` is not UTF-8", file.display())))?;
        self.on_file(COPY, vec![Value::from(file)]).await.map(drop)
    }

    /// Runs a checkpoint statement; returns the pages that the log has.
    pub(in crate::storage) async fn fold_back(&self, sql: Sql) -> Result<i64, StorageError> {
        match self.on_file(sql.sqlite, Vec::new()).await?.first() {
            Some(row) => row.get("log"),
            None => Ok(0),
        }
    }

    /// Runs a statement outside of transactions, in a thread: it may take long. There is nothing of the
    /// kind to do on a server.
    async fn on_file(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StorageError> {
        let Self::Sqlite(files) = self else {
            return Ok(Vec::new());
        };
        let connection = files.acquire().await?;
        let running = move || all(connection.open()?, sql, &values);
        let ran = tokio::task::spawn_blocking(running).await;
        ran.unwrap_or(Err(StorageError::Panicked))
    }
}

/// A new connection.
pub(super) fn connect(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
) -> Result<Connection, StorageError> {
    if let Access::Write = access {
        make_private(path);
    }
    let connecting = || {
        let connection = Connection::open_with_flags(path, access.flags())?;
        connection.busy_timeout(busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // A plan that looks at the values it is run with is made anew for each run: whatever is compared
        // with what a partial index is about makes it look.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(access.pragmas())?;
        Ok::<_, Error>(connection)
    };
    connecting().map_err(|error| {
        // A full disk does not stay full; a folder that is missing stays missing.
        let code = error.sqlite_error_code();
        let may_pass = matches!(code, Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure));
        match StorageError::from(error) {
            StorageError::Unavailable(cause) if !may_pass => StorageError::Open {
                place: path.display().to_string(),
                cause,
            },
            other => other,
        }
    })
}

/// Makes the file, if it is not there, before SQLite does, which would let everybody on the machine read it.
/// Its log gets the same rights. What goes wrong here goes wrong for SQLite, too, which
/// tells.
fn make_private(path: &Path) {
    let mut options = OpenOptions::new();
    let _ = options.write(true).create_new(true).mode(MODE).open(path);
}

/// Runs a statement; says how many rows it changed.
pub(super) fn run(
    connection: &Connection,
    sql: &str,
    values: &[Value],
) -> Result<u64, StorageError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(connection.changes())
}

/// Runs a statement that inserts one row and returns its id. SQLite knows that without a table to return
/// it in, which would cost as much as the row.
pub(super) fn insert(
    connection: &Connection,
    sql: &'static str,
    values: &[Value],
) -> Result<Option<i64>, StorageError> {
    let insert = sql.strip_suffix(RETURNING_ID).ok_or_else(|| {
        StorageError::Corrupt(format!("`{sql}` does not end with `{RETURNING_ID}`"))
    })?;
    let inserted = run(connection, insert, values)?;
    Ok((inserted > 0).then(|| connection.last_insert_rowid()))
}

/// Runs a statement; returns its rows.
pub(super) fn all(
    connection: &Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Row>, StorageError> {
    let mut all = Vec::new();
    let keep = |row| {
        all.push(row);
        true
    };
    each(connection, sql, values, keep)?;
    Ok(all)
}

/// Runs a statement and hands over its rows, for as long as they are wanted.
pub(super) fn each(
    connection: &Connection,
    sql: &str,
    values: &[Value],
    mut wants_more: impl FnMut(Row) -> bool,
) -> Result<(), StorageError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut columns: Option<Arc<[String]>> = None;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        // Most answers have no row: then nobody asks for the names.
        let columns = columns.get_or_insert_with(|| names(row));
        let cells = (0..columns.len()).map(|at| cell(row.get_ref(at)?));
        let row = FileRow {
            cells: cells.collect::<Result<_, _>>()?,
            columns: Arc::clone(columns),
        };
        if !wants_more(Row::Sqlite(row)) {
            break;
        }
    }
    Ok(())
}

fn names(row: &rusqlite::Row<'_>) -> Arc<[String]> {
    let statement: &Statement<'_> = row.as_ref();
    let names = statement.column_names().into_iter();
    names.map(str::to_owned).collect()
}

/// To SQLite `$2` is a name, and names have numbers in the order in which they first appear.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), StorageError> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index);
        let number = name.and_then(|name| name[1..].parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| StorageError::Corrupt("a value is missing".to_owned()))?;
        statement.raw_bind_parameter(index, BorrowedValue(value))?;
    }
    Ok(())
}

struct BorrowedValue<'v>(&'v Value);

impl rusqlite::ToSql for BorrowedValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Integer(value) => value.map(ValueRef::Integer),
            Value::Text(value) => value.as_ref().map(|text| ValueRef::Text(text.as_bytes())),
            Value::Bytes(value) => value.as_deref().map(ValueRef::Blob),
            // SQLite has no arrays: a statement that binds one is not worded for it.
            Value::Integers(_) | Value::Texts(_) | Value::Blobs(_) => None,
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell, StorageError> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(_) => {
            return Err(StorageError::Corrupt("a fraction in a column".to_owned()));
        }
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Cell::Text(text.into()),
            Err(_) => return Err(StorageError::Corrupt("a text that is not UTF-8".to_owned())),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.into()),
    })
}

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        match error {
            Error::SqliteFailure(failure, message) => {
                let code = failure.extended_code.unsigned_abs();
                sorted(code, &message.unwrap_or_else(|| failure.to_string()))
            }
            other => Self::Corrupt(other.to_string()),
        }
    }
}

/// Sorts SQLite's result codes (<https://sqlite.org/rescode.html>) by what can be done about them.
/// The low byte of an extended code is the primary one.
pub(super) fn sorted(code: u32, message: &str) -> StorageError {
    const TRY_LATER: [u32; 8] = [5, 6, 7, 8, 9, 10, 13, 14]; // busy .. I/O error, full, cannot open
    const SHARED_MEMORY_SIZE: u32 = 10 | (19 << 8); // of I/O errors the one that "I/O error" does not explain
    const REFUSED: [u32; 3] = [18, 19, 20]; // too big, constraint, mismatch
    let text = match code {
        SHARED_MEMORY_SIZE => {
            format!("no room for its shared memory: is the disk full? (SQLite code {code})")
        }
        _ => format!("{message} (SQLite code {code})"),
    };
    let primary = code & 0xff;
    if TRY_LATER.contains(&primary) {
        StorageError::Unavailable(text)
    } else if REFUSED.contains(&primary) {
        StorageError::Refused(text)
    } else {
        StorageError::Corrupt(text)
    }
}
