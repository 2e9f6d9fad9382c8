//! Opening, closing, and what is refused at the door.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn file(settings: &StorageSettings) -> std::path::PathBuf {
    match &settings.database {
        Database::Sqlite { path, .. } => path.clone(),
        Database::Postgres(_) => panic!("not a file"),
    }
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_why() {
    let place = Place::new().await;
    let error = Storage::open(&place.settings()).await.unwrap_err();
    let path = file(&place.settings());
    assert_eq!(error, StorageError::Locked { path });
    assert!(error.to_string().contains("in use by another bookgate"));

    place.storage.close().await;
    Storage::open(&place.settings()).await.unwrap();
}

async fn everything_is_there_after_a_restart() {
    let mut place = Place::new().await;
    store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        tx.append_fact(chain, None, &missing("a"), at(1), None).await?;
    })
    .unwrap();
    post!(place.storage, tx => tx.top_up(&top_up("ada", 700), at(2)).await?).unwrap();
    place.reopen().await;
    let (record, balances) = read!(place.storage, tx => {
        let chain = tx.find_chain(&source(), "uid:a").await?.unwrap();
        (tx.load_chain(chain).await?.unwrap(), tx.balances(&owner("ada")).await?.unwrap())
    })
    .unwrap();
    assert_eq!(record.facts[0].body, missing("a"));
    assert_eq!(balances[0].posted, 700);
}

#[tokio::test]
async fn closing_leaves_one_file_and_ends_all_work() {
    let place = Place::new().await;
    store!(place.storage, tx => tx.arrive(&[delivery(1)]).await?).unwrap();
    place.storage.close().await;
    let log = place.folder.path().join("bookgate.db-wal");
    assert!(!log.exists(), "the log is folded back");
    let late = store!(place.storage, tx => tx.arrive(&[delivery(2)]).await?);
    assert_eq!(late, Err(StorageError::Closed));
    assert!(!place.storage.healthy().await);
}

#[tokio::test]
async fn what_is_made_is_nobody_elses_to_read() {
    let place = Place::new().await;
    store!(place.storage, tx => tx.arrive(&[delivery(1)]).await?).unwrap();
    for name in [
        "bookgate.db",
        "bookgate.db-wal",
        "bookgate.db-shm",
        "bookgate.db.lock",
    ] {
        let seen = place.folder.path().join(name).metadata().unwrap();
        assert_eq!(seen.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

async fn a_newer_schema_is_refused() {
    let place = Place::new().await;
    place
        .tamper(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (99, 'later', TRUE, 'x', 0)",
        )
        .await;
    place.storage.close().await;
    let expected = StorageError::NewerSchema {
        place: place.settings().database.place(),
        found: 99,
        known: 12,
    };
    let opened = Storage::open(&place.settings()).await;
    assert_eq!(opened.unwrap_err(), expected);
    let read = Storage::open_read_only(&place.settings()).await;
    assert_eq!(read.unwrap_err(), expected);
}

#[tokio::test]
async fn an_empty_file_is_migrated_by_a_daemon_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let missing = Storage::open_read_only(&settings).await.unwrap_err();
    assert!(matches!(missing, StorageError::Open { .. }), "{missing}");
    std::fs::write(file(&settings), b"").unwrap();
    let older = Storage::open_read_only(&settings).await.unwrap_err();
    assert!(
        matches!(older, StorageError::OlderSchema { found: 0, .. }),
        "{older}"
    );
    Storage::migrate_only(&settings).await.unwrap();
    Storage::open_read_only(&settings).await.unwrap();
}

async fn a_reader_beside_the_daemon_sees_its_commits_and_changes_nothing() {
    let place = Place::new().await;
    let reader = Storage::open_read_only(&place.settings()).await.unwrap();
    store!(place.storage, tx => tx.arrive(&[delivery(1)]).await?).unwrap();
    let body = read!(reader, tx => tx.delivery_body(crate::domain::ids::DeliveryId(1)).await?);
    assert_eq!(&body.unwrap().unwrap()[..], [1, 1, 1]);
    let refused = store!(reader, tx => tx.arrive(&[delivery(2)]).await?);
    assert_eq!(refused, Err(StorageError::ReadOnly));
    let sneaky = read!(reader, tx => tx.arrive(&[delivery(2)]).await?);
    assert!(sneaky.is_err());
}

async fn the_scale_of_a_used_unit_stays() {
    let mut place = Place::new().await;
    place.storage.close().await;
    let mut changed = place.settings();
    changed.units[0].scale = 3;
    let storage = Storage::open(&changed).await.unwrap();
    post!(storage, tx => tx.top_up(&top_up("ada", 1), at(0)).await?).unwrap();
    storage.close().await;

    let error = Storage::open(&place.settings()).await.unwrap_err();
    let expected = StorageError::UnitScale {
        unit: credit(),
        stored: 3,
        wanted: 2,
    };
    assert_eq!(error, expected);
    place.storage = Storage::open(&changed).await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    std::fs::write(file(&settings), [b'x'; 8_192]).unwrap();
    let error = Storage::open(&settings).await.unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("nowhere"));
    let error = Storage::open(&settings).await.unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
}

on_both! {
    everything_is_there_after_a_restart,
    a_newer_schema_is_refused,
    a_reader_beside_the_daemon_sees_its_commits_and_changes_nothing,
    the_scale_of_a_used_unit_stays,
}
