//! Writes and flushes that fail, and disks and journals that are full.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;

/// A flush that writes for real and claims failure while it is told to.
fn failing_flush(kind: io::ErrorKind) -> (Arc<AtomicBool>, Flush) {
    let fails = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&fails);
    let flush = move |file: &File| {
        file.sync_data()?;
        if told.load(Ordering::SeqCst) {
            return Err(io::Error::from(kind));
        }
        Ok(())
    };
    (fails, Box::new(flush))
}

#[tokio::test]
async fn a_failed_flush_is_told_to_all_and_its_segment_is_never_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (fails, flush) = failing_flush(io::ErrorKind::Other);
    let (journal, mut reader, _) = Journal::open_with(&settings(dir.path()), flush).unwrap();
    append_all(&journal, 0..2).await;

    fails.store(true, Ordering::SeqCst);
    let refused = join_all((10..14).map(|number| journal.append(record(number)))).await;
    let path = segment::path(dir.path(), 1);
    for refused in refused {
        // All in one group, or in later ones whose new segment did not work out either.
        let error = refused.unwrap_err().to_string();
        assert!(error.ends_with(": cannot flush: other error"), "{error}");
    }
    assert_eq!(segments(dir.path()), [path], "failed ones do not pile up");

    fails.store(false, Ordering::SeqCst);
    let after = journal.append(record(2)).await.unwrap();
    assert!(after.segment > 1);

    // What was not acknowledged may come with a restart, not before, and loses nothing.
    let crashed = crash(dir.path());
    let (again, mut its_reader, opened) = Journal::open(&settings(crashed.path())).unwrap();
    assert!(opened.damaged.is_empty());
    let mut replayed = read_to_end(&again, &mut its_reader).await;
    replayed.retain(|found| !records(10..14).contains(found));
    assert_eq!(replayed, records(0..3));

    let (found, up_to) = read(&mut reader, 3).await;
    assert_eq!(found, records(0..3));
    reader.drained(up_to).await.unwrap();
    assert_eq!(
        segments(dir.path()),
        [segment::path(dir.path(), after.segment)]
    );
    assert_eq!(journal.depth().records, 0);
}

#[tokio::test]
async fn a_flush_that_finds_the_disk_full_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (fails, flush) = failing_flush(io::ErrorKind::StorageFull);
    let (journal, _reader, _) = Journal::open_with(&settings(dir.path()), flush).unwrap();
    fails.store(true, Ordering::SeqCst);
    for number in 0..3 {
        let error = journal.append(record(number)).await.unwrap_err();
        let JournalError::Full { limit, dir: named } = error else {
            panic!("{error}");
        };
        assert_eq!((limit, named.as_path()), (Limit::Disk, dir.path()));
        assert_eq!(segments(dir.path()).len(), 0);
    }
    fails.store(false, Ordering::SeqCst);
    journal.append(record(3)).await.unwrap();
}

#[tokio::test]
async fn a_full_journal_refuses_and_takes_again_once_drained() {
    let dir = tempfile::tempdir().unwrap();
    let settings = JournalSettings {
        bytes_max: 10_000,
        ..settings(dir.path())
    };
    let (journal, mut reader, _) = Journal::open(&settings).unwrap();
    for _ in 0..3 {
        let mut stored = 0;
        let error = loop {
            match journal.append(sized(stored, 500)).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(
            error.to_string(),
            format!(
                "journal `{}`: full: 10000 bytes wait for the drain, which is all it may hold \
                 (`bytes_max`)",
                dir.path().display()
            )
        );
        let depth = journal.depth();
        assert!(depth.bytes <= depth.bytes_max && depth.bytes > 9_000);
        let on_disk: u64 = segments(dir.path())
            .iter()
            .map(|path| fs::metadata(path).unwrap().len())
            .sum();
        assert_eq!(on_disk, depth.bytes);

        assert_eq!(depth.records, stored);
        let (_, up_to) = read(&mut reader, stored as usize).await;
        reader.drained(up_to).await.unwrap();
        assert!(
            journal.depth().bytes < 5_000,
            "what is left is less than a segment"
        );
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_refuses_and_names_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _reader, _) = Journal::open(&settings(dir.path())).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let error = journal.append(record(0)).await.unwrap_err().to_string();
    let path = segment::path(dir.path(), 1);
    assert!(
        error.starts_with(&format!("journal `{}`: cannot create: ", path.display())),
        "{error}"
    );
    fs::create_dir(dir.path()).unwrap();
    journal.append(record(1)).await.unwrap();
}

/// A file system of its own with very little room; unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where mounting is not permitted.
    fn mount(bytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"])
            .arg(dir.path())
            .output();
        mount
            .is_ok_and(|done| done.status.success())
            .then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_takes_again_once_there_is_space() {
    let Some(disk) = SmallDisk::mount(128 * 1024) else {
        eprintln!("\n*** NOT TESTED: a full disk. It needs the right to mount a tmpfs. ***\n");
        return;
    };
    let dir = disk.0.path().join("journal");
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![0; 64 * 1024]).unwrap();
    let (journal, mut reader, _) = Journal::open(&settings(&dir)).unwrap();

    let mut stored = Vec::new();
    let (mut number, mut refusals) = (0, 0);
    while refusals < 20 {
        match journal.append(sized(number, 3_000)).await {
            Ok(_) => stored.push(number),
            Err(JournalError::Full { limit, .. }) => {
                assert_eq!(limit, Limit::Disk);
                refusals += 1;
            }
            Err(other) => panic!("{other}"),
        }
        number += 1;
    }
    assert!(stored.len() > 10);
    let crashed = crash(&dir);
    let opened = Journal::open(&settings(crashed.path())).unwrap().2;
    assert_eq!(opened.recovered_records, stored.len() as u64);
    assert_eq!((opened.torn_bytes, opened.damaged), (0, vec![]));

    fs::remove_file(&filler).unwrap();
    journal.append(sized(number, 3_000)).await.unwrap();
    stored.push(number);
    let expected: Vec<Record> = stored.iter().map(|number| sized(*number, 3_000)).collect();
    let (found, up_to) = read(&mut reader, expected.len()).await;
    assert_eq!(found, expected);
    reader.drained(up_to).await.unwrap();
    assert!(reader.next_batch(1, 1).now_or_never().is_none());
    journal.close().await;
    drop((journal, reader));
}
