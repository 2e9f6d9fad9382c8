//! Group commit: good work is kept, whatever happens beside it.

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// Keeps the writer busy until told, so that what comes after it shares one commit.
async fn block(storage: &Storage) -> oneshot::Sender<()> {
    let (begun, has_begun) = oneshot::channel();
    let (open, opened) = oneshot::channel();
    let storage = storage.clone();
    tokio::spawn(async move {
        let busy = store!(storage, _tx => {
            begun.send(()).unwrap();
            opened.await.unwrap();
        });
        busy.unwrap();
    });
    has_begun.await.unwrap();
    open
}

/// How each of these pieces of work ended.
async fn ends<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut ends = Vec::with_capacity(tasks.len());
    for task in tasks {
        ends.push(task.await.unwrap());
    }
    ends
}

async fn deliveries(storage: &Storage) -> Vec<u8> {
    let stored = Sql::same("SELECT body FROM delivery ORDER BY id");
    let rows = read!(storage, tx => tx.query(stored).all().await?).unwrap();
    let bodies = rows.iter().map(|row| row.get::<Option<Vec<u8>>>("body"));
    bodies.map(|body| body.unwrap().unwrap()[0]).collect()
}

async fn failing_and_panicking_work_takes_nothing_else_with_it() {
    let place = Place::new().await;
    let open = block(&place.storage).await;
    let work = |number: u8| {
        let storage = place.storage.clone();
        tokio::spawn(async move {
            store!(storage, tx => {
                tx.arrive(&[delivery(number)]).await?;
                match number {
                    3 => return Err(StorageError::Refused("three".to_owned())),
                    5 => panic!("five"),
                    _ => number,
                }
            })
        })
    };
    let tasks: Vec<_> = (1..=7).map(work).collect();
    tokio::task::yield_now().await;
    open.send(()).unwrap();
    let results = ends(tasks).await;
    assert_eq!(results[2], Err(StorageError::Refused("three".to_owned())));
    assert_eq!(results[4], Err(StorageError::Panicked));
    let mut kept = deliveries(&place.storage).await;
    // A server has no turns.
    kept.sort_unstable();
    assert_eq!(kept, [1, 2, 4, 6, 7]);
    assert!(place.storage.healthy().await);
}

/// Stores a delivery; the third is refused.
fn arrive(tx: &mut Tx, number: u8) -> BoxFuture<'_, Result<(), StorageError>> {
    Box::pin(async move {
        tx.arrive(&[delivery(number)]).await?;
        match number {
            3 => Err(StorageError::Refused("three".to_owned())),
            _ => Ok(()),
        }
    })
}

async fn what_fails_together_takes_nothing_of_what_fails_alone() {
    let place = Place::new().await;
    let open = block(&place.storage).await;
    let work = |number: u8| {
        let storage = place.storage.clone();
        tokio::spawn(async move {
            match number {
                1 | 5 => storage.write(move |tx| arrive(tx, number)).await,
                _ => storage.write_together(move |tx| arrive(tx, number)).await,
            }
        })
    };
    let tasks: Vec<_> = (1..=5).map(work).collect();
    tokio::task::yield_now().await;
    open.send(()).unwrap();
    let results = ends(tasks).await;
    assert_eq!(results[2], Err(StorageError::Refused("three".to_owned())));
    assert_eq!((&results[0], &results[4]), (&Ok(()), &Ok(())));
    if place.storage.is_file() {
        assert!(matches!(results[1], Err(StorageError::Conflict(_))));
    }
    let kept = (1..=5).filter(|&number| results[usize::from(number) - 1].is_ok());
    let mut stored = deliveries(&place.storage).await;
    stored.sort_unstable();
    assert_eq!(stored, kept.collect::<Vec<_>>());
}

async fn a_part_that_fails_takes_nothing_else_with_it() {
    let place = Place::new().await;
    // A server wants nothing more of a transaction in which a statement has failed.
    let refused = Sql::same("INSERT INTO unit (code, scale) VALUES ('ODD', 99)");
    let parts = store!(place.storage, tx => {
        tx.arrive(&[delivery(1)]).await?;
        let failed = tx.apart(move |tx| Box::pin(async move {
            tx.arrive(&[delivery(2)]).await?;
            tx.query(refused).run().await
        }));
        let failed = failed.await?;
        let done = tx.apart(|tx| Box::pin(async move { tx.arrive(&[delivery(3)]).await }));
        let done = done.await?;
        tx.arrive(&[delivery(4)]).await?;
        (matches!(failed, Err(StorageError::Refused(_))), done)
    });
    assert_eq!(parts, Ok((true, Ok(1))));
    assert_eq!(deliveries(&place.storage).await, [1, 3, 4]);
}

async fn work_is_done_even_if_nobody_waits_for_it() {
    let place = Place::new().await;
    let open = block(&place.storage).await;
    let storage = place.storage.clone();
    let caller =
        tokio::spawn(async move { store!(storage, tx => tx.arrive(&[delivery(1)]).await?) });
    tokio::task::yield_now().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    open.send(()).unwrap();
    place.storage.close().await;
    let storage = Storage::open(&place.settings()).await.unwrap();
    assert_eq!(deliveries(&storage).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_and_readers_at_once() {
    let place = Place::new().await;
    let write_one = |number: u8| {
        let storage = place.storage.clone();
        tokio::spawn(async move {
            store!(storage, tx => tx.arrive(&[delivery(number)]).await?).unwrap();
            // Whoever has been answered sees the work.
            assert!(deliveries(&storage).await.contains(&number));
        })
    };
    let tasks: Vec<_> = (0..100).map(write_one).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(deliveries(&place.storage).await.len(), 100);
}

async fn a_read_that_is_given_up_leaves_no_transaction_behind() {
    let place = Place::new().await;
    for _ in 0..5 {
        let (begun, has_begun) = oneshot::channel();
        let storage = place.storage.clone();
        let reader = tokio::spawn(async move {
            read!(storage, tx => {
                tx.query(PROBE).one().await?;
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            })
        });
        has_begun.await.unwrap();
        reader.abort();
        assert!(reader.await.unwrap_err().is_cancelled());
    }
    assert!(deliveries(&place.storage).await.is_empty());
}

#[tokio::test]
async fn a_full_file_is_unavailable_and_works_again_with_room() {
    let place = Place::new().await;
    place.tamper("PRAGMA max_page_count = 80").await;
    let (stored, error) = fill(&place.storage).await;
    assert!(error.is_transient(), "{error}");
    assert!(!place.storage.healthy().await);
    place.tamper("PRAGMA max_page_count = 100000").await;
    let last = store!(place.storage, tx => tx.arrive(&[delivery(255)]).await?);
    last.unwrap();
    assert!(place.storage.healthy().await);
    assert_eq!(deliveries(&place.storage).await.len(), stored + 1);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_loses_nothing_that_was_answered() {
    let Some(disk) = Disk::mount() else {
        eprintln!("SKIPPED: no right to mount a tmpfs, so a really full disk was NOT tested");
        return;
    };
    let settings = settings(disk.0.path());
    let storage = Storage::open(&settings).await.unwrap();
    let (stored, error) = fill(&storage).await;
    assert!(error.is_transient(), "{error}");
    assert_eq!(deliveries(&storage).await.len(), stored);
    drop(std::fs::remove_file(disk.0.path().join("ballast")));
    store!(storage, tx => tx.arrive(&[delivery(255)]).await?).unwrap();
    assert!(storage.healthy().await);
    storage.close().await;
    let storage = Storage::open(&settings).await.unwrap();
    assert_eq!(deliveries(&storage).await.len(), stored + 1);
    storage.close().await;
}

/// Stores deliveries until one is refused; returns how many were stored, and why no more.
async fn fill(storage: &Storage) -> (usize, StorageError) {
    for number in 0..255 {
        let mut large = delivery(number);
        large.body = bytes::Bytes::from(vec![number; 20_000]);
        let stored = store!(storage, tx => tx.arrive(&[large]).await?);
        if let Err(error) = stored {
            return (usize::from(number), error);
        }
    }
    panic!("there was always room");
}

/// A disk of 3 MiB, a third of it taken by something that can be removed.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]);
        let mounted = mount.arg(folder.path()).output().ok()?;
        if !mounted.status.success() {
            return None;
        }
        std::fs::write(folder.path().join("ballast"), vec![0; 1 << 20]).unwrap();
        Some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut unmount = std::process::Command::new("umount");
        drop(unmount.arg("-l").arg(self.0.path()).output());
    }
}

on_both! {
    a_part_that_fails_takes_nothing_else_with_it,
    what_fails_together_takes_nothing_of_what_fails_alone,
    failing_and_panicking_work_takes_nothing_else_with_it,
    work_is_done_even_if_nobody_waits_for_it,
    a_read_that_is_given_up_leaves_no_transaction_behind,
}
