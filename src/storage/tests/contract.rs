//! One behaviour on two databases: a story told with `on_both!` is a test on each, and all of them
//! together must run every statement of the room on each.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock};

#[path = "../../../tests/rig/postgres.rs"]
mod postgres;

use super::*;

/// A story, ready to be told.
pub(super) type Story = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// Makes tests of stories, one for each database, and puts them on the list that
/// [`every_statement_runs_on_both`] goes through.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod on_a_file {
            $(#[tokio::test]
            async fn $story() {
                super::super::contract::on_a_file(super::$story()).await;
            })+
        }
        mod on_a_server {
            $(#[tokio::test]
            async fn $story() {
                super::super::contract::on_a_server(super::$story()).await;
            })+
        }
        pub(super) const STORIES: &[super::contract::Story] = &[$(|| Box::pin($story())),+];
    };
}
pub(super) use on_both;

tokio::task_local! {
    static ON_A_SERVER: bool;
}

pub(super) async fn on_a_file(story: impl Future<Output = ()>) {
    ON_A_SERVER.scope(false, story).await;
}

/// Tells nothing where PostgreSQL is not installed.
pub(super) async fn on_a_server(story: impl Future<Output = ()>) {
    if postgres::Postgres::shared().is_some() {
        ON_A_SERVER.scope(true, story).await;
    }
}

/// An empty database of the sort that this story is told on.
pub(super) fn settings(folder: &std::path::Path) -> StorageSettings {
    let on_a_server = ON_A_SERVER.try_with(|on| *on).unwrap_or(false);
    let server = if on_a_server {
        postgres::Postgres::shared()
    } else {
        None
    };
    let Some(server) = server else {
        return file_settings(folder);
    };
    let url = server.url(&database(server));
    StorageSettings {
        database: server_settings(crate::domain::secret::Secret::new(url)).database,
        ..file_settings(folder)
    }
}

fn server_settings(url: crate::domain::secret::Secret) -> StorageSettings {
    StorageSettings {
        database: Database::Postgres(PostgresSettings {
            url,
            tls: Some(TlsMode::Disable),
            tls_root_certificate: None,
            connections_max: 4,
            statement_timeout_ms: 10_000,
        }),
        ..file_settings(std::path::Path::new("."))
    }
}

/// A database that is at our schema already: a copy of the first one is made sooner than the steps are
/// taken again.
fn database(server: &postgres::Postgres) -> String {
    static MODEL: OnceLock<String> = OnceLock::new();
    let model = MODEL.get_or_init(|| {
        let name = server.create_database();
        let url = crate::domain::secret::Secret::new(server.url(&name));
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(async {
                let settings = server_settings(url);
                Storage::migrate_only(&settings).await.unwrap();
            });
        })
        .join()
        .unwrap();
        name
    });
    server.copy_database(model)
}

/// The statements that have run, and whether on a server.
static SEEN: Mutex<BTreeSet<(&'static str, bool)>> = Mutex::new(BTreeSet::new());

/// Takes note of a statement that runs.
pub(in crate::storage) fn saw(text: &'static str, on_a_server: bool) {
    SEEN.lock().unwrap().insert((text, on_a_server));
}

/// Every statement of the room, as its files have it, with the file's name.
fn statements() -> Vec<(String, String)> {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
    let mut found = Vec::new();
    for folder in [room.clone(), room.join("backend"), room.join("records")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let begun = text.split("Sql::same(").chain(text.split("Sql::each("));
                let literals = begun.filter_map(|rest| rest.trim_start().strip_prefix('"'));
                found.extend(literals.map(|rest| {
                    let end = rest.find('"').expect("a literal ends");
                    (name.clone(), rest[..end].to_owned())
                }));
            }
        }
    }
    found
}

/// Statements that are not run on a file here, by how they begin: those for rivals, those that write an
/// import, and those that the checkpointer runs without a transaction.
const NOT_ON_A_FILE: [&str; 12] = [
    "SELECT set_config('statement_timeout'",
    "INSERT INTO job (name, due_at, report)",
    "SELECT report, ended_at FROM job",
    "SELECT COUNT(*) AS lines FROM job",
    "SELECT position FROM job",
    "UPDATE job SET position",
    "UPDATE job SET ended_at",
    "DELETE FROM unit",
    "DELETE FROM job WHERE name LIKE",
    "SELECT setval",
    "SELECT id FROM chain WHERE id = $1 FOR UPDATE",
    "PRAGMA",
];
/// Statements that a server never gets: those for the one writer, and for copies of a file.
const NOT_ON_A_SERVER: [&str; 8] = [
    "SELECT name, seq FROM sqlite_sequence",
    "SELECT integrity_check",
    "SELECT 'a row refers to",
    "PRAGMA",
    "SAVEPOINT",
    "RELEASE SAVEPOINT",
    "ROLLBACK TO",
    "UPDATE chain SET lease_owner = NULL, lease_until = NULL, due_at = COALESCE",
];

#[tokio::test]
async fn every_statement_runs_on_both() {
    let all = [
        backup::STORIES,
        bookings::STORIES,
        chains::STORIES,
        commands::STORIES,
        deliveries::STORIES,
        import::STORIES,
        filing::STORIES,
        inbox::STORIES,
        jobs::STORIES,
        instances::STORIES,
        leases::STORIES,
        ledger::STORIES,
        notices::STORIES,
        open::STORIES,
        others::STORIES,
        sources::STORIES,
        retention::STORIES,
        rivals::STORIES,
        shadows::STORIES,
        together::STORIES,
        verify::STORIES,
        waiting::STORIES,
        writer::STORIES,
    ];
    for story in all.into_iter().flatten() {
        on_a_file(story()).await;
        on_a_server(story()).await;
    }
    let seen = SEEN.lock().unwrap();
    let statements = statements();
    assert!(statements.len() > 80, "the sources were not understood");
    let has_server = postgres::Postgres::shared().is_some();
    let not_run = |on_a_server: bool, but: &[&str]| -> Vec<&(String, String)> {
        let run = |text: &str| {
            seen.iter()
                .any(|(seen, on)| *on == on_a_server && *seen == text)
        };
        let expected = statements
            .iter()
            .filter(|(_, text)| !but.iter().any(|other| text.starts_with(other)));
        expected.filter(|(_, text)| !run(text)).collect()
    };
    assert_eq!(
        not_run(false, &NOT_ON_A_FILE),
        Vec::<&(String, String)>::new(),
        "on a file"
    );
    if has_server {
        assert_eq!(
            not_run(true, &NOT_ON_A_SERVER),
            Vec::<&(String, String)>::new(),
            "on a server"
        );
    }
}
