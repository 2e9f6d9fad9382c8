//! The law of the journal, against a model: whatever is done in whatever order, every acknowledged
//! record that is not drained comes out, in order, also after a crash.

use std::collections::VecDeque;

use futures_util::future::join_all;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        together: usize,
        bytes: usize,
    },
    Read {
        records_max: usize,
        bytes_max: usize,
    },
    Drained,
    Rewind,
    Crash,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..12, 0_usize..400)
            .prop_map(|(together, bytes)| Step::Append { together, bytes }),
        4 => (1_usize..20, 1_usize..3_000)
            .prop_map(|(records_max, bytes_max)| Step::Read { records_max, bytes_max }),
        2 => Just(Step::Drained),
        1 => Just(Step::Rewind),
        1 => Just(Step::Crash),
    ]
}

/// What the journal must know: the records not drained, oldest first, and how many of them the
/// reader has.
#[derive(Default)]
struct Model {
    waiting: VecDeque<Record>,
    read: usize,
    read_up_to: Option<Position>,
    next_number: u64,
}

async fn check(limits: JournalSettings, steps: Vec<Step>) {
    let mut dir = tempfile::tempdir().unwrap();
    let at = |dir: &TempDir| JournalSettings {
        dir: dir.path().to_owned(),
        ..limits.clone()
    };
    let (mut journal, mut reader, _) = Journal::open(&at(&dir)).unwrap();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append { together, bytes } => {
                let numbers = model.next_number..model.next_number + together as u64;
                let records = numbers.clone().map(|number| sized(number, bytes));
                let appends = records.clone().map(|record| journal.append(record));
                let positions = join_all(appends).await.into_iter().map(Result::unwrap);
                // Appends that wait together are stored in an order of the journal's choice.
                let mut stored: Vec<(Position, Record)> = positions.zip(records).collect();
                stored.sort_unstable_by_key(|(position, _)| *position);
                let stored = stored.into_iter().map(|(_, record)| record);
                model.waiting.extend(stored);
                model.next_number = numbers.end;
            }
            Step::Read {
                records_max,
                bytes_max,
            } => {
                if model.read == model.waiting.len() {
                    continue; // it would wait
                }
                let batch = reader.next_batch(records_max, bytes_max).await;
                let batch = batch.unwrap().unwrap();
                let expected = model.waiting.iter().skip(model.read);
                assert!(expected.take(batch.records.len()).eq(&batch.records));
                assert!((1..=records_max).contains(&batch.records.len()));
                model.read += batch.records.len();
                model.read_up_to = Some(batch.up_to);
            }
            Step::Drained => {
                if let Some(up_to) = model.read_up_to {
                    reader.drained(up_to).await.unwrap();
                    model.waiting.drain(..model.read);
                    model.read = 0;
                }
            }
            Step::Rewind => {
                reader.rewind();
                model.read = 0;
                model.read_up_to = None;
            }
            Step::Crash => {
                let crashed = crash(dir.path());
                let opened;
                (journal, reader, opened) = Journal::open(&at(&crashed)).unwrap();
                dir = crashed;
                // Drained records whose mark was not written yet come again; others do not.
                let left = model.waiting.len() as u64;
                assert!(opened.recovered_records >= left);
                assert_eq!((opened.torn_bytes, opened.damaged), (0, vec![]));
                let again = opened.recovered_records - left;
                if again > 0 {
                    let (found, up_to) = read(&mut reader, again as usize).await;
                    assert!(found.iter().all(|record| !model.waiting.contains(record)));
                    reader.drained(up_to).await.unwrap();
                }
                model.read = 0;
                model.read_up_to = None;
            }
        }
        let depth = journal.depth();
        assert_eq!(depth.records, model.waiting.len() as u64);
        assert_eq!(depth.oldest.is_none(), model.waiting.is_empty());
    }
    let rest: Vec<Record> = model.waiting.iter().skip(model.read).cloned().collect();
    assert_eq!(read_to_end(&journal, &mut reader).await, rest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_acknowledged_record_comes_out_in_order(
        segment_bytes_max in 1_u64..4_000,
        memory_bytes_max in prop_oneof![Just(0_usize), 500_usize..6_000, Just(1 << 20)],
        batch_max in 1_usize..8,
        steps in proptest::collection::vec(any_step(), 1..40),
    ) {
        let limits = JournalSettings {
            segment_bytes_max,
            memory_bytes_max,
            batch_max,
            queue_max: 4,
            ..JournalSettings::new("")
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(limits, steps));
    }
}
