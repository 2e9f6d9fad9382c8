//! What is old goes, what is younger, open or precious stays, and the books are sound after it.

use proptest::prelude::*;

use super::*;
use crate::domain::ids::DeliveryId;
use crate::domain::timeline::Standing;

/// A year or so after the rows of [`at`]'s day.
const LATER: i64 = 40_000_000;

/// Removes all of a kind that is older than `before`, as a job does: found, then removed, in batches.
async fn sweep(place: &Place, kind: Removable, before: i64) -> Removed {
    let (mut removed, mut after) = (Removed::default(), 0);
    loop {
        let found =
            read!(place.storage, tx => tx.find_removable(kind, at(before), after, 2).await?)
                .unwrap();
        let Some(searched_to) = found.searched_to else {
            assert!(found.ids.is_empty(), "{found:?}");
            return removed;
        };
        let mut ids = found.ids.iter();
        assert!(found.ids.len() <= 2 && ids.all(|id| (after + 1..=searched_to).contains(id)));
        assert!(searched_to > after, "it goes on");
        after = searched_to;
        removed += store!(place.storage, tx => {
            let mut removed = Removed::default();
            for id in found.ids {
                removed += tx.remove(kind, id, at(before), at(LATER)).await?;
            }
            removed
        })
        .unwrap();
    }
}

async fn count(place: &Place, kind: Removable, before: i64) -> Removed {
    read!(place.storage, tx => tx.count_removable(kind, at(before)).await?).unwrap()
}

async fn rows(place: &Place, sql: &'static str) -> i64 {
    read!(place.storage, tx => tx.query(Sql::same(sql)).one().await?.get("n")?).unwrap()
}

async fn body(place: &Place, id: DeliveryId) -> Option<bytes::Bytes> {
    read!(place.storage, tx => tx.delivery_body(id).await?).unwrap()
}

/// One delivery of each state, received at seconds 1 to 4, and one that nobody has looked at yet.
async fn deliveries(place: &Place) -> Vec<DeliveryId> {
    use DeliveryState::{Event, Ignored, Quarantined, Unparsed};
    store!(place.storage, tx => {
        let mut ids = Vec::new();
        for (number, state) in (1..).zip([Event, Ignored, Unparsed, Quarantined]) {
            tx.arrive(&[delivery(number)]).await?;
            let id = tx.last_unfiled().await?.unwrap();
            tx.file_delivery(id, &filing(state, None, None), None, at(100)).await?;
            ids.push(id);
        }
        // One more, that waits to be filed.
        tx.arrive(&[delivery(5)]).await?;
        ids.push(tx.last_unfiled().await?.unwrap());
        ids
    })
    .unwrap()
}

async fn bodies_go_at_their_age_and_those_not_understood_at_another() {
    let place = Place::new().await;
    let ids = deliveries(&place).await;
    assert_eq!(
        sweep(&place, Removable::DeliveryBodies, 1).await,
        Removed::default()
    );
    let expected = Removed { rows: 2, bytes: 6 };
    assert_eq!(
        count(&place, Removable::DeliveryBodies, 100).await,
        expected
    );
    assert_eq!(
        sweep(&place, Removable::DeliveryBodies, 100).await,
        expected
    );
    assert_eq!(
        (body(&place, ids[0]).await, body(&place, ids[1]).await),
        (None, None)
    );
    assert!(body(&place, ids[2]).await.is_some() && body(&place, ids[3]).await.is_some());
    assert_eq!(
        sweep(&place, Removable::DeliveryBodies, 100).await,
        Removed::default()
    );

    // The third was received at 3, the fourth at 4.
    let expected = Removed { rows: 1, bytes: 3 };
    assert_eq!(sweep(&place, Removable::UnparsedBodies, 4).await, expected);
    assert!(body(&place, ids[2]).await.is_none() && body(&place, ids[3]).await.is_some());
    assert_eq!(
        sweep(&place, Removable::UnparsedBodies, LATER).await,
        expected
    );
    assert!(body(&place, ids[4]).await.is_some(), "it waits to be filed");
}

async fn what_is_no_longer_old_when_it_is_to_be_removed_stays() {
    let place = Place::new().await;
    let ids = deliveries(&place).await;
    let (one, before, parsed) = (ids[0].0, ids[1].0, ids[2]);
    let found = read!(place.storage, tx => {
        tx.find_removable(Removable::UnparsedBodies, at(9), before, 9).await?
    })
    .unwrap();
    assert_eq!(found.ids.len(), 2);
    // Meanwhile it was understood.
    let removed = store!(place.storage, tx => {
        let event = filing(DeliveryState::Event, None, None);
        tx.file_delivery(parsed, &event, None, at(9)).await?;
        let mut removed = tx.remove(Removable::UnparsedBodies, parsed.0, at(9), at(9)).await?;
        removed += tx.remove(Removable::DeliveryBodies, one, at(1), at(9)).await?;
        removed += tx.remove(Removable::Deliveries, one, at(9), at(9)).await?;
        removed += tx.remove(Removable::Facts, 77, at(9), at(9)).await?;
        removed
    });
    assert_eq!(removed, Ok(Removed::default()));
    assert!(body(&place, parsed).await.is_some());
}

/// What may keep a chain open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Due,
    Leased,
    Unsettled,
    Later,
    FactSince,
    Command,
    DeadLetter,
    Held,
}

/// A chain with a webhook, a decision, a paid hold and a call for it, over and settled but for `open`.
async fn chain(place: &Place, number: u8, open: Open) -> ChainId {
    let uid: &'static str = ["a", "b", "c", "d", "e", "f", "g", "h", "i"][usize::from(number)];
    post!(place.storage, tx => {
        let request = tx.request("ada", uid, 10).await?;
        let chain = request.chain;
        let id = tx.filed(number, Some(chain)).await?;
        tx.append_fact(chain, Some(id), &missing(uid), at(5), None).await?;
        let hold = tx.hold(&request, at(6)).await?;
        if open != Open::Held {
            tx.capture(hold, at(7)).await?;
        }
        let new = NewCommand {
            chain,
            decision: Some(request.decision),
            unit: unit_key(uid),
            number: None,
            action: crate::domain::decision::Action::Confirm,
            purpose: Purpose::Decision,
            reason: None,
            due_at: at(6),
        };
        let command = tx.insert_command(&new, at(6)).await?;
        let attempt = tx.begin_attempt(command, "w", at(6), at(16)).await?;
        tx.finish_attempt(attempt, AttemptResult::Ok, Some(200), None, at(7)).await?;
        let change = CommandChange {
            id: command,
            state: match open {
                Open::Command => CommandState::Open,
                Open::DeadLetter => CommandState::Dead,
                _ => CommandState::Done,
            },
            action: new.action,
            due_at: at(6),
            tries: 1,
            note: None,
        };
        tx.change_command(&change, at(7)).await?;
        let stands = if open == Open::Held { "pending" } else { "accepted" };
        let mut line = booking(chain, uid, stands);
        line.number = Some(i64::from(number));
        line.decision = Some(request.decision);
        line.outcome = Some(Outcome::Accept);
        line.settled = open != Open::Unsettled;
        line.updated_at = at(8);
        line.end = Some(at(if open == Open::Later { LATER } else { 9 }));
        tx.put_bookings(chain, &[line]).await?;
        match open {
            Open::Due => tx.set_due(chain, Some(at(LATER))).await?,
            Open::Leased => {
                tx.set_due(chain, Some(at(8))).await?;
                tx.claim("w", at(8), 1_000, 1).await?;
            }
            Open::FactSince => tx.append_fact(chain, None, &missing(uid), at(9), None).await?,
            _ => {}
        }
        chain
    })
    .unwrap()
}

async fn paid_in(place: &Place) {
    post!(place.storage, tx => tx.top_up(&top_up("ada", 1_000), at(0)).await?).unwrap();
}

async fn only_what_is_over_and_settled_is_closed() {
    let place = Place::new().await;
    paid_in(&place).await;
    let kept = [
        Open::Due,
        Open::Leased,
        Open::Unsettled,
        Open::Later,
        Open::FactSince,
        Open::Command,
        Open::DeadLetter,
        Open::Held,
    ];
    for (number, open) in (0..).zip(kept) {
        chain(&place, number, open).await;
    }
    let over = chain(&place, 8, Open::Nothing).await;
    assert_eq!(
        count(&place, Removable::Facts, 5).await.rows,
        0,
        "still young"
    );
    assert_eq!(count(&place, Removable::Facts, 1_000).await.rows, 1);
    assert_eq!(sweep(&place, Removable::Facts, 1_000).await.rows, 1);

    let record = read!(place.storage, tx => tx.load_chain(over).await?)
        .unwrap()
        .unwrap();
    let left: Vec<_> = record.facts.into_iter().map(|fact| fact.body).collect();
    let closed = Closed {
        unit: unit_key("i"),
        number: Some(8),
        standing: Standing::At(crate::domain::booking::Status::Accepted),
    };
    assert_eq!(left, [FactBody::Closed(Box::new(closed))]);
    assert!(record.commands.is_empty());
    assert_eq!((record.decisions.len(), record.holds.len()), (1, 1));
    assert_eq!(rows(&place, "SELECT COUNT(*) AS n FROM attempt").await, 8);
    assert_eq!(place.violations().await, []);

    // What is closed is not closed again, and its line still leads to its decision.
    assert_eq!(sweep(&place, Removable::Facts, LATER).await.rows, 0);
    let line = read!(place.storage, tx => tx.find_booking(&source(), "i").await?).unwrap();
    assert_eq!(line.unwrap().decision, Some(record.decisions[0].id));
}

async fn what_comes_in_later_keeps_the_line_and_is_closed_in_its_turn() {
    let place = Place::new().await;
    paid_in(&place).await;
    let over = chain(&place, 8, Open::Nothing).await;
    sweep(&place, Removable::Facts, 1_000).await;
    let line = store!(place.storage, tx => {
        tx.append_fact(over, None, &missing("i"), at(LATER), None).await?;
        // As a worker writes it: the contents are no longer known.
        let mut line = booking(over, "i", "accepted");
        (line.start, line.end, line.updated_at) = (None, None, at(LATER + 1));
        tx.put_bookings(over, &[line]).await?;
        tx.find_booking(&source(), "i").await?.unwrap()
    })
    .unwrap();
    assert_eq!((line.end, line.number), (Some(at(9)), Some(8)));
    assert_eq!(sweep(&place, Removable::Facts, LATER).await.rows, 0);
    assert_eq!(sweep(&place, Removable::Facts, LATER + 9).await.rows, 1);
    let facts = "SELECT COUNT(*) AS n FROM fact";
    assert_eq!(rows(&place, facts).await, 1);
}

async fn a_delivery_goes_after_its_body_and_its_fact() {
    let place = Place::new().await;
    paid_in(&place).await;
    chain(&place, 8, Open::Nothing).await;
    for (kind, expected) in [
        (Removable::Deliveries, 0),
        (Removable::DeliveryBodies, 1),
        (Removable::Deliveries, 0),
        (Removable::Facts, 1),
        (Removable::Deliveries, 1),
    ] {
        assert_eq!(count(&place, kind, 1_000).await.rows, expected, "{kind:?}");
        assert_eq!(sweep(&place, kind, 1_000).await.rows, expected, "{kind:?}");
    }
}

async fn old_answers_to_orders_go_in_batches() {
    let place = Place::new().await;
    let answer = StoredAnswer {
        request_hash: vec![1],
        request: "{}".to_owned(),
        status: 201,
        outcome: "{}".to_owned(),
    };
    store!(place.storage, tx => {
        for second in 0..5 {
            let key = second.to_string();
            tx.put_idempotent("ops", &key, &answer, at(second)).await?;
        }
    })
    .unwrap();
    let kind = Removable::IdempotencyKeys;
    assert_eq!(count(&place, kind, 3).await, Removed { rows: 3, bytes: 12 });
    for expected in [2, 1, 0] {
        let removed =
            store!(place.storage, tx => tx.remove_idempotency_keys(at(3), 2).await?).unwrap();
        assert_eq!(removed.rows, expected);
    }
    let left = read!(place.storage, tx => tx.idempotent("ops", "3").await?).unwrap();
    assert!(left.is_some());
}

on_both!(
    bodies_go_at_their_age_and_those_not_understood_at_another,
    what_is_no_longer_old_when_it_is_to_be_removed_stays,
    only_what_is_over_and_settled_is_closed,
    what_comes_in_later_keeps_the_line_and_is_closed_in_its_turn,
    a_delivery_goes_after_its_body_and_its_fact,
    old_answers_to_orders_go_in_batches,
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is swept in whatever order: the ledger is sound, no decision, hold or line is gone, a
    /// webhook whose row is gone has no fact, and nothing younger was touched.
    #[test]
    fn nothing_precious_or_young_ever_goes(
        opens in prop::collection::vec(prop::sample::select(vec![
            Open::Nothing, Open::Nothing, Open::Due, Open::Unsettled, Open::Later, Open::Command,
            Open::Held,
        ]), 1..6),
        sweeps in prop::collection::vec(
            (prop::sample::select(Removable::ALL.to_vec()), prop::sample::select(vec![3, 9, 20, LATER])),
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new().await;
            paid_in(&place).await;
            for (number, open) in (0..).zip(&opens) {
                chain(&place, number, *open).await;
            }
            let count_of = async || {
                let all = "SELECT (SELECT COUNT(*) FROM decision) + (SELECT COUNT(*) FROM hold)
                    + (SELECT COUNT(*) FROM entry) + (SELECT COUNT(*) FROM booking)
                    + (SELECT COUNT(*) FROM chain) + (SELECT COUNT(*) FROM chain_key) AS n";
                rows(&place, all).await
            };
            let before = count_of().await;
            for (kind, age) in sweeps {
                let expected = count(&place, kind, age).await;
                let removed = sweep(&place, kind, age).await;
                if kind != Removable::IdempotencyKeys {
                    assert_eq!(removed.rows, expected.rows, "a dry run tells the truth");
                }
            }
            assert_eq!(count_of().await, before);
            assert_eq!(place.violations().await, []);
            let open = opens.iter().filter(|open| **open != Open::Nothing).count();
            let facts = "SELECT COUNT(*) AS n FROM fact WHERE delivery_id IS NOT NULL";
            assert!(rows(&place, facts).await >= i64::try_from(open).unwrap());
            let commands = "SELECT COUNT(*) AS n FROM command";
            assert!(rows(&place, commands).await >= i64::try_from(open).unwrap());
        });
    }
}
