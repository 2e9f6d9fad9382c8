//! What waits is counted, and found without going through what does not.

use super::super::backend::Sql;
use super::super::waiting::ALL;
use super::*;
use crate::domain::notice::Topic;

async fn what_waits_is_counted() {
    let place = Place::new().await;
    let nothing = read!(place.storage, tx => tx.waiting().await?).unwrap();
    assert_eq!(nothing, Waiting::default());
    store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &["uid:a".to_owned()], at(2)).await?;
        let row = |uid: &str, outcome, updated: i64| BookingRow {
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
            start: None,
            end: None,
            updated_at: at(updated),
        };
        let decided = BookingRow { status: "accepted".to_owned(), ..row("c", None, 1) };
        let rows = [row("a", None, 9), row("b", Some(Outcome::Defer), 5), decided];
        tx.put_bookings(chain, &rows).await?;
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
    let waiting = read!(place.storage, tx => tx.waiting().await?).unwrap();
    let pile = |number, since: Option<i64>| Pile {
        number,
        since: since.map(at),
    };
    let expected = Waiting {
        unfiled: pile(0, None),
        overdue_since: waiting.overdue_since,
        undecided: pile(1, Some(2)),
        deferred: pile(1, Some(5)),
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
    for sql in ALL {
        let explain: &'static str = Box::leak(sql.explain().into_boxed_str());
        let rows = read!(place.storage, tx => {
            let query = tx.query(Sql::same(explain));
            let query = if explain.contains("$1") { query.bind(10_i64) } else { query };
            query.all().await?
        });
        for row in rows.unwrap() {
            let detail: String = row.get("detail").unwrap();
            let through = detail.starts_with("SCAN") && !detail.contains("INDEX");
            assert!(
                !through || detail.contains("waiting"),
                "{detail}\n{explain}"
            );
        }
    }
}

on_both!(what_waits_is_counted);
