//! The journal on real files, in folders of their own.

mod failure;
mod law;
mod recovery;

use std::fs::{self, File};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Waker};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::domain::clock::from_us;
use crate::domain::ids::SourceName;

const FIRST_AT_US: i64 = 1_790_000_000_000_000;

/// A record that can be told from all others by `number`, of about `bytes` bytes.
fn sized(number: u64, bytes: usize) -> Record {
    let mut body = format!("{{\"n\":{number}}}").into_bytes();
    body.resize(body.len().max(bytes), b' ');
    Record {
        source: SourceName::new("front_desk"),
        received_at: from_us(FIRST_AT_US + number as i64),
        content_type: number
            .is_multiple_of(2)
            .then(|| "application/json".to_owned()),
        body: Bytes::from(body),
    }
}

fn record(number: u64) -> Record {
    sized(number, 0)
}

fn records(numbers: std::ops::Range<u64>) -> Vec<Record> {
    numbers.map(record).collect()
}

fn settings(dir: &Path) -> JournalSettings {
    JournalSettings::new(dir)
}

async fn append_all(journal: &Journal, numbers: std::ops::Range<u64>) -> Vec<Position> {
    let mut positions = Vec::new();
    for number in numbers {
        positions.push(journal.append(record(number)).await.unwrap());
    }
    positions
}

/// Reads as many records as there are known to be, in batches of at most seven.
async fn read(reader: &mut Reader, count: usize) -> (Vec<Record>, Position) {
    let (mut found, mut up_to) = (Vec::new(), Position::START);
    while found.len() < count {
        let left = (count - found.len()).min(7);
        let batch = reader.next_batch(left, 1 << 20).await.unwrap().unwrap();
        assert!(!batch.records.is_empty() && batch.up_to > up_to);
        up_to = batch.up_to;
        found.extend(batch.records);
    }
    (found, up_to)
}

/// Reads everything that is left of a journal and closes it.
async fn read_to_end(journal: &Journal, reader: &mut Reader) -> Vec<Record> {
    journal.close().await;
    let mut found = Vec::new();
    while let Some(batch) = reader.next_batch(7, 1 << 20).await.unwrap() {
        found.extend(batch.records);
    }
    found
}

/// The files as a crash would leave them: a copy, taken while the journal is open.
fn crash(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for path in segments(dir) {
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let listing = segment::list(dir).unwrap();
    let path = |number: &u64| segment::path(dir, *number);
    listing.segments.iter().map(path).collect()
}

#[tokio::test]
async fn what_is_appended_is_drained_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut reader, opened) = Journal::open(&settings(dir.path())).unwrap();
    assert_eq!(opened, Opened::default());

    let positions = append_all(&journal, 0..20).await;
    assert!(positions.is_sorted());
    let depth = journal.depth();
    assert_eq!(depth.records, 20);
    assert_eq!(depth.oldest, Some(record(0).received_at));

    let (found, up_to) = read(&mut reader, 20).await;
    assert_eq!(found, records(0..20));
    assert_eq!(Some(&up_to), positions.last());
    assert_eq!(journal.depth().records, 20, "handed out is not yet drained");
    reader.drained(positions[9]).await.unwrap();
    assert_eq!(journal.depth().records, 10);
    reader.drained(up_to).await.unwrap();
    let depth = journal.depth();
    assert_eq!((depth.records, depth.oldest), (0, None));
}

#[tokio::test]
async fn all_that_wait_share_one_flush() {
    let dir = tempfile::tempdir().unwrap();
    let (enter, entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let flush = move |file: &File| {
        enter.send(()).unwrap();
        released.recv().unwrap();
        file.sync_data()
    };
    let (journal, mut reader, _) =
        Journal::open_with(&settings(dir.path()), Box::new(flush)).unwrap();
    let journal = Arc::new(journal);
    let append = |number| {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move { journal.append(record(number)).await.unwrap() })
    };

    let first = append(0);
    while entered.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (1..=200).map(append).collect();
    while journal.queue.max_capacity() - journal.queue.capacity() < 200 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    release.send(()).unwrap();

    let first = first.await.unwrap();
    for (number, other) in (1..).zip(others) {
        assert_eq!(other.await.unwrap().record, first.record + number);
    }
    assert_eq!(entered.try_iter().count(), 1, "200 records, one flush");
    assert_eq!(read(&mut reader, 201).await.0, records(0..201));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut reader, _) = Journal::open(&settings(dir.path())).unwrap();
    for number in 0..5 {
        let mut append = Box::pin(journal.append(record(number)));
        let _ = append
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        drop(append);
    }
    assert_eq!(read_to_end(&journal, &mut reader).await, records(0..5));
}

#[tokio::test]
async fn a_reader_that_waits_is_woken_and_may_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut reader, _) = Journal::open(&settings(dir.path())).unwrap();
    {
        let mut waiting = Box::pin(reader.next_batch(10, 1 << 20));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    let (batch, appended) = tokio::join!(
        biased;
        reader.next_batch(10, 1 << 20),
        journal.append(record(0)),
    );
    let batch = batch.unwrap().unwrap();
    assert_eq!(
        (batch.records, batch.up_to),
        (records(0..1), appended.unwrap())
    );
}

#[tokio::test]
async fn a_drained_and_closed_journal_leaves_no_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut reader, _) = Journal::open(&settings(dir.path())).unwrap();
    append_all(&journal, 0..3).await;
    let (_, up_to) = read(&mut reader, 2).await;
    let beyond = Position {
        segment: u64::MAX,
        ..up_to
    };
    reader.drained(beyond).await.unwrap();
    assert_eq!(journal.depth().records, 1, "not read, so not drained");
    assert_eq!(read_to_end(&journal, &mut reader).await, records(2..3));
    assert_eq!(segments(dir.path()).len(), 1);
    reader.drained(beyond).await.unwrap();
    assert_eq!(segments(dir.path()).len(), 0);
    assert!(matches!(
        journal.append(record(9)).await,
        Err(JournalError::Closed)
    ));
    journal.close().await; // a second time is fine

    drop((journal, reader));
    let (_journal, _reader, opened) = Journal::open(&settings(dir.path())).unwrap();
    assert_eq!(opened, Opened::default());
}

#[tokio::test]
async fn a_batch_keeps_to_its_limits() {
    let dir = tempfile::tempdir().unwrap();
    for memory_bytes_max in [0, 1 << 20] {
        let settings = JournalSettings {
            memory_bytes_max,
            ..settings(dir.path())
        };
        let (journal, mut reader, _) = Journal::open(&settings).unwrap();
        for number in 0..4 {
            journal.append(sized(number, 100_000)).await.unwrap();
        }
        let mut lengths = Vec::new();
        for bytes_max in [1, 250_000, 1 << 20] {
            let batch = reader.next_batch(10, bytes_max).await.unwrap().unwrap();
            lengths.push(batch.records.len());
            reader.drained(batch.up_to).await.unwrap();
        }
        assert_eq!(lengths, [1, 2, 1], "memory for {memory_bytes_max}");
        journal.close().await;
    }
}

#[tokio::test]
async fn what_lies_behind_is_read_from_disk_not_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let settings = JournalSettings {
        memory_bytes_max: 4_000,
        segment_bytes_max: 3_000,
        ..settings(dir.path())
    };
    let (journal, mut reader, _) = Journal::open(&settings).unwrap();
    let mut read_so_far = 0;
    for round in 1..=10_u64 {
        for number in (round - 1) * 30..round * 30 {
            journal.append(sized(number, 150)).await.unwrap();
            assert!(reader.shared.state().fresh_bytes() <= 4_000);
        }
        assert!(segments(dir.path()).len() > 1);
        // Behind for most of the rounds, and caught up at the end.
        let until = if round == 10 { 300 } else { round * 25 };
        let (found, up_to) = read(&mut reader, (until - read_so_far) as usize).await;
        let expected: Vec<Record> = (read_so_far..until).map(|n| sized(n, 150)).collect();
        assert_eq!(found, expected);
        reader.drained(up_to).await.unwrap();
        assert_eq!(journal.depth().records, round * 30 - until);
        read_so_far = until;
    }
    assert!(segments(dir.path()).len() <= 1);
    journal.append(record(300)).await.unwrap();
    assert!(reader.shared.state().fresh_bytes() > 0, "fresh again");
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let open = Journal::open(&settings(dir.path())).unwrap();
    let error = Journal::open(&settings(dir.path())).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "journal `{}`: in use by another process; stop that one, or set a journal folder of \
             its own for each",
            dir.path().display()
        )
    );
    open.0.close().await;
    drop(open);
    Journal::open(&settings(dir.path())).unwrap();
}
