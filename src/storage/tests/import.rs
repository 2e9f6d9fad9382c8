//! From a file to a server: every row arrives, once, however often the way is interrupted.

use crate::storage::backend::{Access, Pool};
use crate::storage::import::{Batch, put};
use crate::storage::tables::{COLUMNS, TABLES};

use super::*;

/// A character that a server cannot hold, some that it can, and what only looks like the former.
const HARD_TO_MOVE: &str = "a\u{0}b\u{1f600}\\u0000\"";

/// The store that an import would fill, if there is a server; nothing was opened on it.
fn server(folder: &std::path::Path) -> Option<StorageSettings> {
    let settings = settings(folder);
    matches!(settings.database, Database::Postgres(_)).then_some(settings)
}

/// A file with rows in most tables, and characters that are hard to move.
async fn fill(folder: &std::path::Path) -> StorageSettings {
    let settings = file_settings(folder);
    let storage = Storage::open(&settings).await.unwrap();
    post!(storage, tx => {
        tx.top_up(&top_up("ada", 100_000), at(0)).await?;
        for number in 0..200_u8 {
            let uid = format!("b{number}");
            let request = tx.request("ada", &uid, 7).await?;
            let hold = tx.hold(&request, at(1)).await?;
            tx.capture(hold, at(2)).await?;
            let mut new = delivery(number);
            new.body = bytes::Bytes::from(vec![0, number, 0xff, b'"', b'\\']);
            tx.arrive(&[new]).await?;
            let delivery = tx.last_unfiled().await?.unwrap();
            let event = filing(DeliveryState::Event, None, Some(HARD_TO_MOVE));
            let chain = Some(request.chain);
            tx.file_delivery(delivery, &event, chain, at(3)).await?;
            tx.append_fact(request.chain, Some(delivery), &missing("\u{0}"), at(3), None).await?;
            let mut line = booking(request.chain, &uid, "accepted");
            line.decision = Some(request.decision);
            tx.put_bookings(request.chain, &[line]).await?;
        }
        tx.archive_policy("h1", "members.toml", "schema = 1\n", at(1)).await?;
        tx.archive_list("l1", Some("ada@example.org\n"), at(1)).await?;
        tx.archive_set("s1", "[]", at(1)).await?;
    })
    .unwrap();
    // The last id of all is taken and gone: it must not come again.
    store!(storage, tx => {
        tx.arrive(&[delivery(201)]).await?;
        let last = tx.last_unfiled().await?.unwrap();
        tx.query(Sql::same("DELETE FROM delivery WHERE id = $1")).bind(last).run().await?
    })
    .unwrap();
    storage.close().await;
    settings
}

async fn import(from: &StorageSettings, to: &StorageSettings) -> Result<i64, ImportError> {
    let tables = Storage::import(from, to, at(50), &mut |_, _| {}).await?;
    Ok(tables.iter().map(|table| table.rows).sum())
}

/// An import that comes to its end at the table of this number.
async fn cut_off(from: &StorageSettings, to: &StorageSettings, number: i64) {
    let mut tables = 0;
    let mut tell = |_: &'static str, _: i64| {
        tables += 1;
        assert!(tables < number, "planted");
    };
    let import = Storage::import(from, to, at(50), &mut tell);
    let import = std::panic::AssertUnwindSafe(import);
    let cut = futures_util::FutureExt::catch_unwind(import).await;
    assert!(cut.is_err(), "it ended by itself");
}

async fn an_import_moves_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(to) = server(folder.path()) else {
        return;
    };
    let from = fill(folder.path()).await;
    // Migrated beforehand, as an admin may do.
    Storage::migrate_only(&to).await.unwrap();
    assert!(import(&from, &to).await.unwrap() > 2_000);
    assert!(matches!(
        import(&from, &to).await,
        Err(ImportError::Over { .. })
    ));

    let storage = Storage::open(&to).await.unwrap();
    let (account, row, body, fresh) = store!(storage, tx => {
        tx.arrive(&[delivery(202)]).await?;
        let next = tx.last_unfiled().await?.unwrap();
        (
            tx.account_facts(&owner("ada")).await?.unwrap(),
            tx.deliveries(&unparsed(), None, 9).await?.rows.len(),
            tx.delivery_body(crate::domain::ids::DeliveryId(3)).await?.unwrap(),
            next,
        )
    })
    .unwrap();
    assert_eq!(account.balances[0].posted, 100_000 - 200 * 7);
    assert_eq!((row, &body[..]), (0, &[0, 2, 0xff, b'"', b'\\'][..]));
    assert_eq!(fresh.0, 202, "ids go on after the last that was given out");
    let one = read!(storage, tx => tx.delivery(crate::domain::ids::DeliveryId(3)).await?).unwrap();
    let note = one.unwrap().note.unwrap();
    assert_eq!(note, "a\u{1a}b\u{1f600}\\u0000\"");
    // What is written here is written by the same rule.
    let event = filing(DeliveryState::Event, None, Some(HARD_TO_MOVE));
    let written = store!(storage, tx => {
        let next = tx.last_unfiled().await?.unwrap();
        tx.file_delivery(next, &event, None, at(60)).await?;
        tx.delivery(next).await?.unwrap().note
    });
    assert_eq!(written.unwrap(), Some(note));
    assert_eq!(read!(storage, tx => tx.verify().await?).unwrap(), []);
}

async fn a_half_imported_store_is_not_opened_and_the_import_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(to) = server(folder.path()) else {
        return;
    };
    let from = fill(folder.path()).await;
    // Cut off in the middle: the task is dropped as its third table begins.
    cut_off(&from, &to, 5).await;
    let refused = Storage::open(&to).await.unwrap_err();
    assert!(
        matches!(refused, StorageError::HalfImported { .. }),
        "{refused}"
    );
    let refused = Storage::open_read_only(&to).await.unwrap_err();
    assert!(
        matches!(refused, StorageError::HalfImported { .. }),
        "{refused}"
    );

    import(&from, &to).await.unwrap();
    Storage::open(&to).await.unwrap();
}

/// A server goes on for a while with what it was sent last, also when the sender is dead.
async fn rows_that_a_killed_import_sent_last_are_not_sent_again() {
    const WAITING: Sql = Sql::same(
        "SELECT COUNT(*) AS lines FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    let folder = tempfile::tempdir().unwrap();
    let Some(to) = server(folder.path()) else {
        return;
    };
    let from = fill(folder.path()).await;
    let nth = TABLES.iter().position(|table| table.name == "chain");
    let nth = nth.unwrap();
    cut_off(&from, &to, 1 + i64::try_from(nth).unwrap()).await;
    let (Database::Sqlite { path, .. }, Database::Postgres(server)) =
        (&from.database, &to.database)
    else {
        unreachable!("see above");
    };
    let timeout = to.busy_timeout();
    let Pool::Sqlite(file) = Pool::open_file(path, Access::ReadOnly, timeout)
        .await
        .unwrap()
    else {
        unreachable!("it is a file");
    };
    let mut rows = file.stream(TABLES[nth].read, 0);
    let mut batch = Batch::default();
    while let Some(row) = rows.recv().await {
        batch.push(&row.unwrap().get::<String>("line").unwrap());
    }
    let target = Pool::connect(server, false, timeout).await.unwrap();
    let mut left = target.begin_write().await.unwrap();
    put(&mut left, &TABLES[nth], batch).await.unwrap();

    let going_on = tokio::spawn({
        let (from, to) = (from.clone(), to.clone());
        async move { import(&from, &to).await }
    });
    // The very moment at which the other waits for it.
    loop {
        let mut look = target.begin_read().await.unwrap();
        let row = look.query(WAITING).one().await.unwrap();
        look.rollback().await.unwrap();
        if row.get::<i64>("lines").unwrap() > 0 {
            break;
        }
        assert!(!going_on.is_finished(), "{:?}", going_on.await);
    }
    left.commit().await.unwrap();
    assert!(going_on.await.unwrap().unwrap() > 2_000);
}

async fn an_import_wants_an_empty_server_and_a_file_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let Some(to) = server(folder.path()) else {
        return;
    };
    let from = fill(folder.path()).await;
    let running = Storage::open(&from).await.unwrap();
    let refused = import(&from, &to).await.unwrap_err();
    assert!(
        matches!(refused, ImportError::Storage(StorageError::Locked { .. })),
        "{refused}"
    );
    running.close().await;
    assert!(matches!(
        import(&to, &from).await,
        Err(ImportError::Direction)
    ));

    let daemon = Storage::open(&to).await.unwrap();
    store!(daemon, tx => tx.add_job("sweep", at(0)).await?).unwrap();
    let refused = import(&from, &to).await.unwrap_err();
    assert!(
        refused.to_string().contains("daemon was started"),
        "{refused}"
    );
    post!(daemon, tx => tx.top_up(&top_up("ada", 1), at(0)).await?).unwrap();
    let refused = import(&from, &to).await.unwrap_err();
    assert!(refused.to_string().contains("1 in unit"), "{refused}");
    daemon.close().await;
}

async fn an_import_is_not_continued_with_a_file_that_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(to) = server(folder.path()) else {
        return;
    };
    let from = fill(folder.path()).await;
    cut_off(&from, &to, 1).await;
    let storage = Storage::open(&from).await.unwrap();
    post!(storage, tx => tx.top_up(&top_up("ada", 1), at(60)).await?).unwrap();
    storage.close().await;
    let refused = import(&from, &to).await.unwrap_err();
    assert!(
        matches!(refused, ImportError::OtherSource { .. }),
        "{refused}"
    );
}

/// A column that is added and not moved would be lost in silence.
async fn every_column_is_moved() {
    let place = Place::new().await;
    let rows = read!(place.storage, tx => tx.query(COLUMNS).all().await?).unwrap();
    let mut count = 0;
    for row in rows {
        let name: String = row.get("name").unwrap();
        let (table, column) = name.split_once('.').unwrap();
        if ["instance", "job", "_sqlx_migrations", "sqlite_sequence"].contains(&table) {
            continue;
        }
        let moved = TABLES.iter().find(|moved| moved.name == table).unwrap();
        assert!(moved.reads(column), "{name}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

on_both!(
    an_import_moves_everything_once,
    a_half_imported_store_is_not_opened_and_the_import_goes_on,
    rows_that_a_killed_import_sent_last_are_not_sent_again,
    an_import_wants_an_empty_server_and_a_file_at_rest,
    an_import_is_not_continued_with_a_file_that_has_changed,
    every_column_is_moved,
);
