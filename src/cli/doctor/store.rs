//! The database, and the clock that daemons on a server go by.

use std::sync::Arc;

use super::Findings;
use super::outside::apart;
use crate::app::storage_settings;
use crate::cli::Context;
use crate::domain::clock::ms_between;
use crate::gate::Desk;
use crate::settings::Settings;
use crate::storage::{Database, Storage, StorageError};

/// Opens the database as commands that look do, and asks it something.
pub(super) async fn database(settings: &Settings, context: &Context<'_>, found: &mut Findings) {
    let store = storage_settings(settings);
    let place = match &store.database {
        Database::Sqlite { path, .. } => format!("`{}`", path.display()),
        Database::Postgres(_) => "PostgreSQL".to_owned(),
    };
    if matches!(&store.database, Database::Sqlite { path, .. } if !path.exists()) {
        let help =
            "`bookgate serve` makes it when it starts, and `bookgate migrate` without starting";
        return found.warning("database", format!("{place} is not there yet"), help);
    }
    let storage = match Storage::open_read_only(&store).await {
        Ok(storage) => storage,
        Err(error) => {
            let what = format!("{place}: {error}");
            return found.failed("database", what, advice(&error));
        }
    };
    let units = settings.units.values().cloned();
    let desk = Desk::new(storage.clone(), units, Arc::clone(&context.clock));
    match desk.jobs().await {
        Ok(_) => found.ok(
            "database",
            format!("{place} answers, its schema is this program's"),
        ),
        Err(error) => found.failed(
            "database",
            format!("{place}: {error}"),
            "restore a backup if the file is damaged; else see the database's own log",
        ),
    }
    if let Ok(Some(theirs)) = storage.time().await {
        let apart_ms = ms_between(context.clock.now(), theirs);
        apart(apart_ms, "the database's", found);
    }
    storage.close().await;
}

fn advice(error: &StorageError) -> &'static str {
    match error {
        StorageError::OlderSchema { .. } => "`bookgate migrate`, or start the daemon",
        StorageError::NewerSchema { .. } => "install the version of bookgate that the daemon has",
        StorageError::Unreachable { .. } => {
            "is the server up, and storage.url right? Webhooks wait in the journal meanwhile"
        }
        StorageError::Denied(_) => "look at the user, the password and the rights in storage.url",
        _ => "look at storage.url; a file that is damaged is restored from a backup",
    }
}
