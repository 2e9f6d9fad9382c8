//! A copy of the file, made while a daemon writes to it: one consistent state, compact, looked through
//! before it gets its name, and never put in the place of anything.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::backend::{Access, MODE, Pool, Sql, Tx};
use super::error::StorageError;
use super::migrate;
use super::records::{Backup, Violation};
use super::{Database, StorageSettings};

/// Faults shown at most.
const FAULTS_MAX: i64 = 10;

macro_rules! count {
    ($table:literal) => {
        (
            $table,
            Sql::same(concat!("SELECT COUNT(*) AS n FROM ", $table)),
        )
    };
}

/// Tables that only ever grow, so that a copy made between two countings must lie between them.
const GROWING: [(&str, Sql); 7] = [
    count!("account"),
    count!("txn"),
    count!("entry"),
    count!("hold"),
    count!("decision"),
    count!("chain"),
    count!("booking"),
];

// Of a file alone: PostgreSQL has tools of its own.
const INTEGRITY: Sql =
    Sql::same("SELECT integrity_check AS what FROM pragma_integrity_check LIMIT $1");
const STRAYS: Sql = Sql::same(
    "SELECT 'a row refers to a row of ' || parent || ' that is not there' AS what
     FROM pragma_foreign_key_check LIMIT $1",
);

/// Why there is no copy. Nothing was left behind but, in the case of a crash, `<file>.partial`.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store is on a server.
    #[error("the database is on a PostgreSQL server")]
    OnServer,
    /// There is such a file already.
    #[error("`{}` is there already, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// Somebody is making the same copy.
    #[error("`{}` is being written by another backup", .0.display())]
    Busy(PathBuf),
    /// The copy cannot be written.
    #[error("cannot write `{}`: {cause}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What stands in the way.
        cause: io::Error,
    },
    /// The copy is not as it should be.
    #[error("the copy was thrown away: {0}")]
    Faulty(String),
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Copies the file to `target`.
pub(super) async fn backup(
    settings: &StorageSettings,
    target: &Path,
) -> Result<Backup, BackupError> {
    let Database::Sqlite { path, .. } = &settings.database else {
        return Err(BackupError::OnServer);
    };
    refuse_to_overwrite(target)?;
    let partial = Partial::begin(target)?;
    let timeout = settings.busy_timeout();
    let source = Pool::open_file(path, Access::Copy, timeout).await?;
    migrate::check_schema(&source, &settings.database.place()).await?;
    let before = counts(&source).await?;
    source.copy_to(&partial.path).await?;
    let after = counts(&source).await?;
    source.close().await;
    let cannot = |path: &Path| {
        let path = path.to_owned();
        move |cause| BackupError::Write { path, cause }
    };
    partial.file.sync_all().map_err(cannot(&partial.path))?;

    let copy = Pool::open_file(&partial.path, Access::Copy, timeout).await?;
    migrate::check_schema(&copy, &partial.path.display().to_string()).await?;
    let rows = counts(&copy).await?;
    let violations = look_through(&copy).await?;
    copy.close().await;
    for (((table, copied), (_, before)), (_, after)) in rows.iter().zip(&before).zip(&after) {
        if copied < before || copied > after {
            return Err(BackupError::Faulty(format!(
                "it has {copied} rows of {table}; there were {before} before and {after} after it \
                 was made"
            )));
        }
    }
    let bytes = partial
        .file
        .metadata()
        .map_err(cannot(&partial.path))?
        .len();
    partial.finish(target)?;
    Ok(Backup {
        bytes,
        schema: migrate::known_schema(),
        rows,
        violations,
    })
}

async fn counts(pool: &Pool) -> Result<Vec<(&'static str, i64)>, StorageError> {
    let mut tx = pool.begin_read().await?;
    let mut counts = Vec::with_capacity(GROWING.len());
    for (table, sql) in GROWING {
        counts.push((table, tx.query(sql).one().await?.get("n")?));
    }
    tx.rollback().await?;
    Ok(counts)
}

/// What is wrong with the books in the copy: that is no fault of the copy.
async fn look_through(copy: &Pool) -> Result<Vec<Violation>, BackupError> {
    let mut tx = copy.begin_read().await?;
    let mut faults = texts(&mut tx, INTEGRITY).await?;
    faults.retain(|fault| fault != "ok");
    faults.append(&mut texts(&mut tx, STRAYS).await?);
    let violations = tx.verify().await?;
    tx.rollback().await?;
    match faults.first() {
        Some(first) => Err(BackupError::Faulty(first.clone())),
        None => Ok(violations),
    }
}

async fn texts(tx: &mut Tx, sql: Sql) -> Result<Vec<String>, StorageError> {
    let rows = tx.query(sql).bind(FAULTS_MAX).all().await?;
    rows.iter().map(|row| row.get("what")).collect()
}

fn refuse_to_overwrite(target: &Path) -> Result<(), BackupError> {
    match target.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists(target.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(BackupError::Write {
            path: target.to_owned(),
            cause,
        }),
    }
}

/// The copy while it is written. Gone when dropped, unless it was finished.
struct Partial {
    path: PathBuf,
    file: File,
    finished: bool,
}

impl Partial {
    /// Begins an empty file, in the place of what an interrupted backup left.
    fn begin(target: &Path) -> Result<Self, BackupError> {
        let mut name = target.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        let cannot = |cause| BackupError::Write {
            path: path.clone(),
            cause,
        };
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(MODE);
        let file = options.open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(path)),
            Err(TryLockError::Error(cause)) => return Err(cannot(cause)),
        }
        file.set_len(0).map_err(cannot)?;
        Ok(Self {
            path,
            file,
            finished: false,
        })
    }

    /// Gives it its name, on disk.
    fn finish(mut self, target: &Path) -> Result<(), BackupError> {
        refuse_to_overwrite(target)?;
        let cannot = |cause| BackupError::Write {
            path: target.to_owned(),
            cause,
        };
        std::fs::rename(&self.path, target).map_err(cannot)?;
        self.finished = true;
        let folder = target.parent().filter(|path| !path.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(cannot)?;
        folder.sync_all().map_err(cannot)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            // If it cannot be removed, the next backup to this place writes over it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
