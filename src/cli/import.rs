//! `import`: an installation from its file to a PostgreSQL server.

use std::io::{self, Write as _};
use std::iter;

use clap::Args;

use super::progress::Progress;
use super::text::table;
use super::{Context, UsageError, print_json, wait_for};
use crate::app::storage_settings;
use crate::settings::{Environment, Extent, LoadOptions, Settings};
use crate::storage::{ImportError, Storage, StorageSettings};

/// The variable of `storage.url`.
const URL: &str = "BOOKGATE__STORAGE__URL";

/// What `import` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate import --from sqlite://bookgate.db --to postgres://bookgate@db/bookgate
  bookgate import --from sqlite://bookgate.db --to env:BOOKGATE_DATABASE_URL

Stop the daemon first; the target must be empty. Everything else about the
connection is taken from [storage] in the settings. An import that was
interrupted goes on where it stopped when the same command is run again; until
it is over and compared, no daemon starts on the target. The file stays as it
is. Then set storage.url to the target and start; do not start on the file
again.

The journal's folder stays where it is: what it still holds is filed into the
new database at the next start.")]
pub(super) struct ImportArgs {
    /// The file, as in storage.url
    #[arg(long, value_name = "URL")]
    from: String,
    /// The server, as in storage.url; or env:NAME or file:PATH, which does not
    /// show a password to others on this machine
    #[arg(long, value_name = "URL")]
    to: String,
}

/// Moves everything, and says what that was.
pub(super) fn run(args: &ImportArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let from = store("--from", &args.from, &context.options)?;
    let to = store("--to", &args.to, &context.options)?;
    let now = context.clock.now();
    let progress = Progress::begin(json, "comparing the two databases");
    let mut tell = |table: &'static str, rows: i64| {
        progress.tell(format!("moving {table}: {rows} rows"));
        if !progress.is_shown() {
            // Who reads along is not needed for the work.
            let _ = writeln!(io::stderr(), "{table}: {rows} rows");
        }
    };
    let moved = wait_for(async { Ok(Storage::import(&from, &to, now, &mut tell).await) })?;
    drop(progress);
    let tables = match moved {
        Err(error @ ImportError::Direction) => return Err(UsageError(error.to_string()).into()),
        other => other?,
    };
    if json {
        return print_json(&tables, context);
    }
    let row =
        |name: &str, rows: i64, bytes: i64| [name.to_owned(), rows.to_string(), bytes.to_string()];
    let total = (
        tables.iter().map(|table| table.rows).sum(),
        tables.iter().map(|table| table.bytes).sum(),
    );
    let rows: Vec<_> = tables
        .iter()
        .map(|table| row(table.table, table.rows, table.bytes))
        .chain(iter::once(row("all", total.0, total.1)))
        .collect();
    table(&mut *context.out, ["table", "rows", "bytes"], &rows)?;
    Ok(writeln!(
        context.out,
        "\neverything has arrived: rows, sums and sizes are the same, and the ledger adds up\n\
         set storage.url to {} and start; do not start on the file again",
        to.database.place()
    )?)
}

/// The settings of the store, with the address that an option of the command line has.
fn store(option: &str, url: &str, options: &LoadOptions) -> anyhow::Result<StorageSettings> {
    let env: Environment = options.env.with(URL, url);
    let options = LoadOptions {
        env,
        ..options.clone()
    };
    let settings = Settings::load_extent(&options, Extent::Offline)
        .map_err(|error| error.given_by(URL, option))?;
    Ok(storage_settings(&settings))
}
