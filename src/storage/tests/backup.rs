//! Copies of the file: whole, sound, made beside a writer, and never at the cost of another file.

use super::*;

/// A store with some credit in it.
async fn place_with_credit() -> Place {
    let place = Place::new().await;
    post!(place.storage, tx => {
        tx.top_up(&top_up("ada", 700), at(0)).await?;
        let request = tx.request("ada", "a", 300).await?;
        tx.hold(&request, at(1)).await?;
    })
    .unwrap();
    place
}

fn files(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.folder.path()).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .filter(|name| !name.starts_with("bookgate.db"))
        .collect();
    names.sort();
    names
}

async fn a_copy_can_take_the_place_of_the_store() {
    let place = place_with_credit().await;
    let target = place.folder.path().join("copy.db");
    let backup = Storage::backup(&place.settings(), &target).await;
    if place.storage.is_shared() {
        assert!(matches!(backup, Err(BackupError::OnServer)));
        return;
    }
    let backup = backup.unwrap();
    assert_eq!(backup.bytes, target.metadata().unwrap().len());
    assert_eq!(
        backup.rows.iter().find(|(table, _)| *table == "hold"),
        Some(&("hold", 1))
    );
    assert!(backup.violations.is_empty());
    assert_eq!(files(&place), ["copy.db"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = target.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let other = tempfile::tempdir().unwrap();
    std::fs::copy(&target, other.path().join("bookgate.db")).unwrap();
    let restored = Storage::open(&file_settings(other.path())).await.unwrap();
    let account = read!(restored, tx => tx.account_facts(&owner("ada")).await?).unwrap();
    let balance = &account.unwrap().balances[0];
    assert_eq!((balance.posted, balance.held), (700, 300));
    post!(restored, tx => tx.top_up(&top_up("ada", 1), at(9)).await?).unwrap();
}

/// Whoever writes goes on, and the copy is one state: every top-up in it is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_made_beside_a_writer() {
    let place = place_with_credit().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let writing = tokio::spawn({
        let (storage, stop) = (place.storage.clone(), stop.clone());
        async move {
            let mut count = 0_i64;
            while !stop.is_cancelled() {
                post!(storage, tx => tx.top_up(&top_up("ada", 5), at(2)).await?).unwrap();
                count += 1;
            }
            count
        }
    });
    let mut entries = 0;
    for number in 0..5 {
        let target = place.folder.path().join(format!("{number}.db"));
        let backup = Storage::backup(&place.settings(), &target).await.unwrap();
        assert!(backup.violations.is_empty());
        let found = backup.rows.iter().find(|(table, _)| *table == "entry");
        let found = found.unwrap().1;
        assert!(found >= entries, "{found} {entries}");
        entries = found;
    }
    stop.cancel();
    assert!(writing.await.unwrap() > 0);
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_left_behind() {
    let place = place_with_credit().await;
    let target = place.folder.path().join("copy.db");
    std::fs::write(&target, "precious").unwrap();
    let refused = Storage::backup(&place.settings(), &target).await;
    assert!(matches!(refused, Err(BackupError::Exists(path)) if path == target));
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");

    let nowhere = place.folder.path().join("no/such/folder.db");
    let refused = Storage::backup(&place.settings(), &nowhere).await;
    assert!(matches!(refused, Err(BackupError::Write { .. })));
    assert_eq!(files(&place), ["copy.db"]);
}

#[tokio::test]
async fn what_an_interrupted_backup_left_is_written_over_unless_it_goes_on() {
    let place = place_with_credit().await;
    let target = place.folder.path().join("copy.db");
    let partial = place.folder.path().join("copy.db.partial");
    std::fs::write(&partial, "half a copy").unwrap();
    let other = std::fs::File::open(&partial).unwrap();
    other.lock().unwrap();
    let refused = Storage::backup(&place.settings(), &target).await;
    assert!(matches!(refused, Err(BackupError::Busy(path)) if path == partial));
    drop(other);
    Storage::backup(&place.settings(), &target).await.unwrap();
    assert_eq!(files(&place), ["copy.db"]);
}

#[tokio::test]
async fn a_damaged_store_gives_no_copy_and_wrong_books_are_told() {
    let place = place_with_credit().await;
    place.tamper("PRAGMA foreign_keys = OFF").await;
    place
        .tamper("UPDATE account SET posted = posted + 1 WHERE kind = 'booker'")
        .await;
    let target = place.folder.path().join("copy.db");
    let backup = Storage::backup(&place.settings(), &target).await.unwrap();
    assert_eq!(backup.violations[0].invariant, "I2");

    place.storage.close().await;
    let path = place.folder.path().join("bookgate.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // All pages behind the first, where the schema is.
    bytes[4_096..].iter_mut().for_each(|byte| *byte = 0x55);
    std::fs::write(&path, bytes).unwrap();
    let again = place.folder.path().join("again.db");
    Storage::backup(&place.settings(), &again)
        .await
        .unwrap_err();
    assert_eq!(files(&place), ["copy.db"]);
}

on_both!(a_copy_can_take_the_place_of_the_store);
