//! `journal drain`: what a daemon that is no more has left behind, into the store.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::progress::Progress;
use super::reach::is_there;
use super::{Context, NotFound, print_json, refused, wait_for};
use crate::app::{journal_settings, storage_settings};
use crate::gate::Desk;
use crate::journal::{Journal, JournalSettings};
use crate::settings::{Extent, Settings};
use crate::storage::Storage;

/// Commands about the journal.
#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Store what waits in the journal of a daemon that is no more
    #[command(after_help = "\
Examples:
  bookgate journal drain --dir /mnt/old-disk/journal
  bookgate journal drain

A daemon drains its own journal when it starts. This is for a folder that has
none any more: of a machine that died, or after moving to another database.
What is in the database already is not stored twice. On PostgreSQL the daemons
may go on running and file what is stored; a SQLite file must be free.")]
    Drain {
        /// The folder [default: journal.dir]
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
}

/// Runs one of the commands.
pub(super) fn run(
    command: &JournalCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let JournalCommand::Drain { dir } = command;
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let dir = match dir {
        Some(dir) => context.options.working_dir.join(dir),
        None => settings.journal.dir.clone(),
    };
    if !dir.is_dir() {
        return Err(NotFound(format!("there is no folder `{}`", dir.display())).into());
    }
    let store = storage_settings(&settings);
    is_there(&store.database, context)?;
    let journal = JournalSettings {
        dir: dir.clone(),
        ..journal_settings(&settings)
    };
    let clock = Arc::clone(&context.clock);
    let progress = Progress::begin(json, "storing what the journal holds");
    let (read, new, damaged) = wait_for(async {
        let (journal, reader, opened) = Journal::open(&journal)?;
        let storage = Storage::open(&store).await?;
        let desk = Desk::new(storage.clone(), settings.units.into_values(), clock);
        let emptied = desk.empty_journal(&journal, reader).await;
        storage.close().await;
        let (read, new) = emptied.map_err(refused)?;
        Ok((read, new, opened.damaged.len() + opened.set_aside.len()))
    })?;
    drop(progress);
    if json {
        let answer = json!({"read": read, "stored": new, "damaged_segments": damaged});
        return print_json(&answer, context);
    }
    let dir = dir.display();
    writeln!(
        context.out,
        "{dir}: {read} webhooks read, {new} of them new"
    )?;
    if damaged > 0 {
        writeln!(
            context.out,
            "{damaged} segments hold bytes that cannot be read; they are kept in the folder"
        )?;
    }
    Ok(())
}
