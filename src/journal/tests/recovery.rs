//! What a start makes of what a crash, or a bad disk, left behind.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A journal of three records in three groups, as one file, and the offset at which each group
/// begins; the last is where the last ends.
async fn three_groups() -> (Vec<u8>, [usize; 4]) {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _reader, _) = Journal::open(&settings(dir.path())).unwrap();
    let ends = append_all(&journal, 0..3).await;
    let mut bytes = fs::read(&segments(dir.path())[0]).unwrap();
    let end = |number: usize| ends[number].offset as usize;
    assert!(bytes.split_off(end(2)).iter().all(|&byte| byte == 0));
    (
        bytes,
        [segment::HEADER_BYTES as usize, end(0), end(1), end(2)],
    )
}

/// Opens a journal whose only segment has these bytes: what was found, and all its records.
async fn opened_with(bytes: &[u8]) -> (Opened, Vec<Record>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(segment::path(dir.path(), 1), bytes).unwrap();
    let (journal, mut reader, opened) = Journal::open(&settings(dir.path())).unwrap();
    let found = read_to_end(&journal, &mut reader).await;
    assert_eq!(opened.recovered_records, found.len() as u64);
    (opened, found, dir)
}

#[tokio::test]
async fn what_is_made_is_nobody_elses_to_read() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("state/journal");
    let (journal, _reader, _) = Journal::open(&settings(&dir)).unwrap();
    append_all(&journal, 0..1).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for made in fs::read_dir(&dir).unwrap() {
        let made = made.unwrap().path();
        assert_eq!(mode(&made), 0o600, "{}", made.display());
    }
}

#[tokio::test]
async fn a_restart_replays_what_is_not_drained() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut reader, _) = Journal::open(&settings(dir.path())).unwrap();
    append_all(&journal, 0..50).await;
    let (_, up_to) = read(&mut reader, 20).await;

    let crashed = crash(dir.path());
    let (again, mut its_reader, opened) = Journal::open(&settings(crashed.path())).unwrap();
    assert_eq!((opened.recovered_records, opened.segments), (50, 1));
    assert_eq!(again.depth().oldest, Some(record(0).received_at));
    let new = again.append(record(50)).await.unwrap();
    let (found, last) = read(&mut its_reader, 51).await;
    assert_eq!((found, last), (records(0..51), new));

    // How far the drain is rides on the next group.
    reader.drained(up_to).await.unwrap();
    journal.append(record(50)).await.unwrap();
    let crashed = crash(dir.path());
    let (again, mut its_reader, opened) = Journal::open(&settings(crashed.path())).unwrap();
    assert_eq!(opened.recovered_records, 31);
    assert_eq!(again.depth().oldest, Some(record(20).received_at));
    assert_eq!(read_to_end(&again, &mut its_reader).await, records(20..51));
}

#[tokio::test]
async fn space_made_ahead_holds_no_records_and_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _reader, _) = Journal::open(&settings(dir.path())).unwrap();
    let first = append_all(&journal, 0..1).await[0];
    let length = |dir: &Path| fs::metadata(&segments(dir)[0]).unwrap().len();
    let made = length(dir.path());
    assert!(made > first.offset + 100_000, "{made}");
    let last = append_all(&journal, 1..50).await[48];
    assert_eq!(
        length(dir.path()),
        made,
        "it is filled, and not made longer"
    );

    let crashed = crash(dir.path());
    let (again, mut its_reader, opened) = Journal::open(&settings(crashed.path())).unwrap();
    assert_eq!((opened.recovered_records, opened.torn_bytes), (50, 0));
    assert_eq!(length(crashed.path()), last.offset);
    assert_eq!(read_to_end(&again, &mut its_reader).await, records(0..50));

    journal.append(sized(50, 100_000)).await.unwrap();
    let last = journal.append(sized(51, 200_000)).await.unwrap();
    assert_eq!(length(dir.path()), last.offset, "large ones need none");
    journal.append(record(52)).await.unwrap();
    journal.close().await;
    assert!(length(dir.path()) < last.offset + 1_000);
}

#[tokio::test]
async fn drained_segments_are_removed_and_stay_away() {
    let dir = tempfile::tempdir().unwrap();
    let settings = JournalSettings {
        segment_bytes_max: 1,
        ..settings(dir.path())
    };
    let (journal, mut reader, _) = Journal::open(&settings).unwrap();
    append_all(&journal, 0..6).await;
    assert_eq!(segments(dir.path()).len(), 6);
    let (_, up_to) = read(&mut reader, 4).await;
    reader.drained(up_to).await.unwrap();
    let left = segments(dir.path());
    assert_eq!(left, [5, 6].map(|number| segment::path(dir.path(), number)));

    drop((journal, reader));
    let crashed = crash(dir.path());
    let (journal, mut reader, opened) = Journal::open(&JournalSettings {
        dir: crashed.path().to_owned(),
        ..settings
    })
    .unwrap();
    assert_eq!((opened.recovered_records, opened.segments), (2, 2));
    let seventh = journal.append(record(6)).await.unwrap();
    assert_eq!(
        seventh.segment, 7,
        "a number is not used twice while others are left"
    );
    assert_eq!(read_to_end(&journal, &mut reader).await, records(4..7));
}

#[tokio::test]
async fn a_torn_tail_costs_nothing_that_was_acknowledged() {
    let (whole, [_, _, third, end]) = three_groups().await;
    for length in third..end {
        // Cut short, or with the length already set and the bytes not there yet.
        for zeros in [0, end - length] {
            let mut torn = whole[..length].to_vec();
            torn.resize(length + zeros, 0);
            let (opened, found, dir) = opened_with(&torn).await;
            assert_eq!(found, records(0..2), "{length} bytes and {zeros} zeros");
            assert_eq!(opened.damaged, []);
            // The head of the group alone may have come through, also by ending in zeros.
            let head_end = third + frame::GROUP_BYTES;
            let head_is_whole = torn.get(third..head_end) == Some(&whole[third..head_end]);
            let cut_at = if head_is_whole { head_end } else { third };
            let written = torn.iter().rposition(|&byte| byte != 0).unwrap() + 1;
            // Zeros at the end are only space; inside of a frame they are what did not come.
            let fewest = written.saturating_sub(cut_at) as u64;
            let most = if fewest == 0 { 0 } else { torn.len() - cut_at } as u64;
            assert!((fewest..=most).contains(&opened.torn_bytes));

            let again = Journal::open(&settings(crash(dir.path()).path())).unwrap();
            assert_eq!(again.2.torn_bytes, 0, "cut off once");
            assert_eq!(again.2.recovered_records, 2);
        }
    }
}

#[tokio::test]
async fn a_segment_that_was_hardly_begun_is_no_trouble() {
    let (whole, [first, ..]) = three_groups().await;
    for length in 0..first + frame::GROUP_BYTES {
        let (opened, found, dir) = opened_with(&whole[..length]).await;
        assert_eq!((found, opened.damaged), (vec![], vec![]));
        assert_eq!(segments(dir.path()).len(), 0);
    }
}

#[tokio::test]
async fn no_flipped_byte_costs_another_record_or_goes_unseen() {
    let (whole, [first, second, third, end]) = three_groups().await;
    for (at, blank) in (0..end).flat_map(|at| [(at, 0), (at, 40)]) {
        let mut bytes = whole.clone();
        bytes.resize(end + blank, 0);
        bytes[at] ^= 0xFF;
        if (12..first).contains(&at) {
            continue; // the layout number: another test
        }
        let (opened, found, dir) = opened_with(&bytes).await;
        let group = [first, second, third, end]
            .iter()
            .filter(|begin| **begin <= at)
            .count();
        let expected: Vec<Vec<Record>> = match group {
            0 => vec![vec![]],
            1 => vec![records(1..3), vec![], records(0..3)],
            2 => vec![vec![record(0), record(2)], records(0..1), records(0..3)],
            _ => vec![records(0..2), records(0..3)],
        };
        assert!(expected.contains(&found), "byte {at}: {found:?}");

        let seen = opened.torn_bytes > 0 || !opened.damaged.is_empty();
        assert!(seen, "byte {at} went unseen");
        assert_eq!(!opened.damaged.is_empty(), at < third, "byte {at}");
        if let [damage] = opened.damaged.as_slice() {
            assert!(damage.offset <= at as u64 && damage.bytes > 0);
            assert!(at < (damage.offset + damage.bytes) as usize);
        }
        assert!(
            found.len() < 3 || opened.damaged.iter().all(|d| d.bytes == 29),
            "byte {at}: a head of a group may be lost alone"
        );
        drop(dir);
    }
}

#[tokio::test]
async fn a_damaged_segment_is_set_aside_once_the_rest_is_drained() {
    let (mut bytes, [_, second, ..]) = three_groups().await;
    bytes[second - 1] ^= 1; // in the first record's body
    let dir = tempfile::tempdir().unwrap();
    let path = segment::path(dir.path(), 1);
    fs::write(&path, &bytes).unwrap();

    let (journal, mut reader, opened) = Journal::open(&settings(dir.path())).unwrap();
    assert_eq!(opened.damaged[0].path, path);
    let (found, up_to) = read(&mut reader, 2).await;
    assert_eq!(found, records(1..3));
    assert_eq!(segments(dir.path()), [path]);
    reader.drained(up_to).await.unwrap();
    assert_eq!(segments(dir.path()).len(), 0);

    drop(read_to_end(&journal, &mut reader).await);
    drop((journal, reader));
    let (journal, _reader, opened) = Journal::open(&settings(dir.path())).unwrap();
    let aside = dir.path().join("0000000001.journal.damaged");
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    assert_eq!(opened.set_aside, [aside]);
    let next = journal.append(record(3)).await.unwrap();
    assert_eq!(next.segment, 2, "the set-aside one is never overwritten");
}

#[tokio::test]
async fn a_frame_made_up_inside_a_body_is_never_believed() {
    let mut made_up = Vec::new();
    frame::encode_group(&mut made_up, (1, 0));
    frame::encode_record(&mut made_up, &record(666));
    let dir = tempfile::tempdir().unwrap();
    let (journal, _reader, _) = Journal::open(&settings(dir.path())).unwrap();
    let mut carrier = record(0);
    carrier.body = Bytes::from(made_up);
    journal.append(carrier).await.unwrap();
    journal.append(record(1)).await.unwrap();
    let mut bytes = fs::read(&segments(dir.path())[0]).unwrap();
    bytes[segment::HEADER_BYTES as usize + frame::GROUP_BYTES] ^= 1; // the carrier's frame

    let (opened, found, _dir) = opened_with(&bytes).await;
    assert_eq!((found, opened.damaged.len()), (vec![], 1));
}

#[tokio::test]
async fn damage_that_comes_while_the_journal_is_open_is_seen_too() {
    let dir = tempfile::tempdir().unwrap();
    let settings = JournalSettings {
        memory_bytes_max: 0,
        segment_bytes_max: 1,
        ..settings(dir.path())
    };
    let (journal, mut reader, _) = Journal::open(&settings).unwrap();
    append_all(&journal, 0..4).await;
    let paths = segments(dir.path());
    let mut bytes = fs::read(&paths[0]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&paths[0], bytes).unwrap(); // its record is damaged
    fs::write(&paths[1], b"").unwrap(); // emptied
    fs::remove_file(&paths[2]).unwrap(); // gone

    let (found, up_to) = read(&mut reader, 1).await;
    assert_eq!(found, records(3..4));
    reader.drained(up_to).await.unwrap();
    assert_eq!(journal.depth().records, 0);
    let listing = segment::list(dir.path()).unwrap();
    assert_eq!((listing.segments, listing.set_aside.len()), (vec![], 2));
}

#[tokio::test]
async fn a_layout_of_a_newer_version_is_left_alone() {
    let (mut bytes, _) = three_groups().await;
    bytes[12] = 2;
    let dir = tempfile::tempdir().unwrap();
    let path = segment::path(dir.path(), 1);
    fs::write(&path, &bytes).unwrap();
    let error = Journal::open(&settings(dir.path())).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "journal `{}`: layout 2, but this version reads layout 1 only; drain it with the \
             version that wrote it",
            path.display()
        )
    );
    assert_eq!(fs::read(path).unwrap(), bytes);
}
