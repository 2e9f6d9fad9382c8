//! `backup`: a copy of the database, also while a daemon writes to it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::progress::Progress;
use super::{Context, NotFound, UsageError, print_json, wait_for};
use crate::app::storage_settings;
use crate::settings::{Extent, Settings};
use crate::storage::{BackupError, Database, Storage};

/// What is said where the database is on a server.
const ON_SERVER: &str = "\
the database is on a PostgreSQL server, which has tools of its own (a running
daemon does not mind):
  pg_dump --format=custom --file=bookgate.dump \"$URL\"
  pg_restore --clean --if-exists --exit-on-error --dbname=\"$URL\" bookgate.dump
Stop all daemons before pg_restore.";

/// What `backup` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate backup /var/backups/bookgate-2030-01-31.db
  bookgate backup --json /mnt/backup/bookgate.db | jq .bytes

Also beside a running daemon, which goes on writing. An existing file is never
overwritten; the copy is written to FILE.partial and gets its name once it is
complete, checked and on disk. Restoring: stop the daemon, move the database
file with its -wal and -shm away, copy FILE to its place, start.

What the journal holds is not in the copy; a running daemon empties it all the
time. A database on a PostgreSQL server is backed up with pg_dump.")]
pub(super) struct BackupArgs {
    /// Where the copy goes
    file: PathBuf,
}

/// Copies, and says what it has copied.
pub(super) fn run(args: &BackupArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let store = storage_settings(&settings);
    if let Database::Sqlite { path, .. } = &store.database
        && !path.exists()
    {
        let place = store.database.place();
        return Err(NotFound(format!("there is no database `{place}` (storage.url)")).into());
    }
    let file = context.options.working_dir.join(&args.file);
    let began = Instant::now();
    let progress = Progress::begin(json, "copying, then reading the copy back");
    let made = wait_for(async { Ok(Storage::backup(&store, &file).await) })?;
    drop(progress);
    let backup = match made {
        Err(BackupError::OnServer) => return Err(UsageError(ON_SERVER.to_owned()).into()),
        other => other?,
    };
    let (path, ms) = (args.file.display(), began.elapsed().as_millis());
    if json {
        let answer = json!({"file": path.to_string(), "ms": ms, "backup": backup});
        print_json(&answer, context)?;
    } else {
        let rows: Vec<_> = backup
            .rows
            .iter()
            .map(|(table, count)| format!("{count} {table}"))
            .collect();
        writeln!(
            context.out,
            "{path}: {} bytes in {ms} ms, schema {}\nrows: {}\nthe copy was read back and is sound",
            backup.bytes,
            backup.schema,
            rows.join(", ")
        )?;
    }
    if !backup.violations.is_empty() {
        bail!(
            "the copy is complete, but the ledger in it does not add up ({} found): see `bookgate \
             ledger verify`",
            backup.violations.len()
        );
    }
    Ok(())
}
