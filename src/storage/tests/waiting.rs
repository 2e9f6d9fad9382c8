//! What waits is counted, and found without going through what does not.

use super::super::waiting::ALL;
use super::*;
use crate::domain::decision::Action;
use crate::domain::notice::Topic;

async fn what_waits_is_counted() {
    let place = Place::new().await;
    let nothing = read!(place.storage, tx => tx.waiting(at(50)).await?).unwrap();
    assert_eq!(nothing, Waiting::default());
    store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &["uid:a".to_owned()], at(2)).await?;
        let row = |uid: &str, outcome, updated: i64, start: i64| BookingRow {
            source: source(),
            uid: Uid::new(uid),
            seat: None,
            chain,
            number: None,
            status: "pending".to_owned(),
            outcome,
            decision: None,
            settled: false,
            booker: None,
            event_type: None,
            start: Some(at(start)),
            end: None,
            updated_at: at(updated),
            event_type_id: None,
            asked_at: None,
            ended_at: None,
            ended_by: None,
            no_show: None,
        };
        let decided = BookingRow { status: "accepted".to_owned(), ..row("c", None, 1, 60) };
        let rows = [row("a", None, 9, 60), row("b", Some(Outcome::Defer), 5, 60), decided];
        tx.put_bookings(chain, &rows).await?;
        let call = NewCommand {
            chain,
            decision: None,
            unit: unit_key("c"),
            number: None,
            action: Action::Confirm,
            purpose: Purpose::Decision,
            reason: None,
            due_at: at(60),
        };
        tx.insert_command(&call, at(3)).await?;
        tx.due_no_later_than(chain, at(4)).await?;
        for (message, due) in [("a", None), ("b", Some(at(8)))] {
            let notice = NewNotice {
                receiver: "ops".to_owned(),
                message: message.to_owned(),
                topic: Topic::BookingDecided,
                body: String::new(),
            };
            tx.put_notice(&notice, at(7)).await?;
            let claimed = tx.claim_notices("ops", at(7), 1, 1).await?;
            tx.notice_again(&claimed[0], due, "x").await?;
        }
    })
    .unwrap();
    let waiting = read!(place.storage, tx => tx.waiting(at(50)).await?).unwrap();
    let pile = |number, since: Option<i64>| Pile {
        number,
        more: false,
        since: since.map(at),
    };
    let expected = Waiting {
        unfiled: pile(0, None),
        overdue_since: waiting.overdue_since,
        undecided: pile(1, Some(2)),
        deferred: pile(1, Some(5)),
        calls: pile(1, Some(3)),
        dead_letters: pile(0, None),
        notices: pile(1, Some(7)),
        notices_given_up: pile(1, None),
    };
    assert_eq!(waiting, expected);
    assert!(waiting.overdue_since.is_some_and(|since| since <= at(4)));
}

/// SQLite says how it would find the rows: never by going through a table.
#[tokio::test]
async fn no_table_is_gone_through() {
    let place = Place::new().await;
    let connection = rusqlite::Connection::open(place.folder.path().join("bookgate.db")).unwrap();
    for sql in ALL {
        let explain = sql.explain().replace("$1", "10").replace("$2", "0");
        let mut explain = connection.prepare(&explain).unwrap();
        let steps = explain
            .query_map([], |row| row.get::<_, String>("detail"))
            .unwrap();
        for step in steps.map(Result::unwrap) {
            let through = step.starts_with("SCAN") && !step.contains("INDEX");
            assert!(!through || step == "SCAN waiting", "{step}: {sql:?}");
        }
    }
}

on_both!(what_waits_is_counted);
