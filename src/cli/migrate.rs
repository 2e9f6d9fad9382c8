//! `migrate`: the database at this program's schema, and nothing else.

use clap::Args;
use serde_json::json;

use super::{Context, print_json, wait_for};
use crate::app::storage_settings;
use crate::settings::{Extent, Settings};
use crate::storage::Storage;

/// What `migrate` takes: nothing of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate migrate
  bookgate --config /etc/bookgate/bookgate.toml migrate

The daemon migrates too, when it starts; this is for doing it beforehand. It
makes the database if there is none, and is refused while a daemon has it.")]
pub(super) struct MigrateArgs {}

/// Migrates, and says which schema the database has then.
pub(super) fn run(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let store = storage_settings(&settings);
    let schema = wait_for(async { Ok(Storage::migrate_only(&store).await?) })?;
    let place = store.database.place();
    if json {
        let answer = json!({"database": place, "schema": schema});
        return print_json(&answer, context);
    }
    Ok(writeln!(context.out, "{place} has schema {schema}")?)
}
