//! What is done together ends as if each had been done alone.

use tokio::task::JoinSet;

use super::contract::on_both;
use super::*;

/// Pieces of work that wait at the same time.
const CROWD: i64 = 40;

/// Does work together with others, and alone for as long as others get in its way.
macro_rules! together {
    ($storage:expr, $tx:ident => $body:expr) => {{
        let first = $storage
            .write_together::<_, LedgerError, _>(move |$tx| Box::pin(async move { Ok($body) }));
        let mut done = first.await;
        while let Err(LedgerError::Storage(StorageError::Conflict(_))) = done {
            done = post!($storage, $tx => $body);
        }
        done
    }};
}

/// All that a booking needs from its first webhook to its captured credit; gives what was read back.
async fn book(tx: &mut Tx, number: i64, payer: &str) -> Result<ChainRecord, LedgerError> {
    let uid = format!("uid:{number}");
    let chain = tx.chain_for(&source(), &keys(&[&uid]), at(0)).await?;
    tx.lock_chain(chain).await?;
    tx.append_fact(chain, None, &missing(&uid), at(1), Some(at(1)))
        .await?;
    tx.locked_accounts(&owner(payer)).await?;
    tx.archive_policy("h1", "members.toml", "schema = 1", at(1))
        .await?;
    let decision = new(tx
        .insert_decision(&decision(chain, &uid, 100 + number))
        .await?);
    let request = HoldRequest {
        owner: owner(payer),
        amount: credits(100 + number),
        chain,
        decision,
        unit: unit_key(&uid),
    };
    let hold = tx.hold(&request, at(2)).await?;
    let command = NewCommand {
        chain,
        decision: Some(decision),
        unit: unit_key(&uid),
        number: Some(number),
        action: crate::domain::decision::Action::Confirm,
        purpose: crate::domain::chain::Purpose::Decision,
        reason: None,
        due_at: at(2),
    };
    let command = tx.insert_command(&command, at(2)).await?;
    let attempt = tx.begin_attempt(command, "worker", at(3), at(9)).await?;
    let result = AttemptResult::Ok;
    let finished = tx.finish_attempt(attempt, result, Some(200), None, at(4));
    assert_eq!(finished.await?, Posted::New(()));
    tx.capture(hold, at(5)).await?;
    tx.put_bookings(chain, &[booking(chain, &uid, "accepted")])
        .await?;
    Ok(tx.load_chain(chain).await?.expect("it was just stored"))
}

/// Pays so much into the account of each of these.
async fn pay_in(place: &Place, names: &'static [&'static str], minor: i64) {
    post!(place.storage, tx => {
        for name in names {
            tx.top_up(&top_up(name, minor), at(0)).await?;
        }
    })
    .unwrap();
}

async fn a_crowd_is_served_as_if_each_came_alone() {
    const PAYERS: [&str; 7] = ["ann", "bob", "cho", "dee", "eve", "fay", "gus"];
    let place = Place::new().await;
    pay_in(&place, &PAYERS, 1_000_000).await;
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let storage = place.storage.clone();
        let payer = PAYERS[usize::try_from(number).unwrap() % PAYERS.len()];
        crowd.spawn(async move {
            let record = together!(storage, tx => book(tx, number, payer).await?).unwrap();
            (number, record)
        });
    }
    for (number, record) in crowd.join_all().await {
        let uid = format!("uid:{number}");
        assert_eq!(record.facts.len(), 1);
        assert_eq!(record.decisions[0].unit, unit_key(&uid));
        assert_eq!(record.holds[0].amount, credits(100 + number));
        assert_eq!(record.holds[0].decision, record.decisions[0].id);
        assert_eq!(record.commands[0].number, Some(number));
        assert_eq!(
            record.commands[0].attempts[0].result,
            Some(AttemptResult::Ok)
        );
        let kept = read!(place.storage, tx => tx.load_chain(record.chain).await?.unwrap());
        let (kept, saw) = (format!("{:?}", kept.unwrap()), format!("{record:?}"));
        assert_eq!(kept, saw, "what it saw is what was kept");
    }
    assert_eq!(place.violations().await, []);
}

async fn credit_for_one_is_held_by_one() {
    let place = Place::new().await;
    pay_in(&place, &["ann"], 150).await;
    let mut crowd = JoinSet::new();
    for number in 0..5 {
        let storage = place.storage.clone();
        crowd.spawn(async move { together!(storage, tx => book(tx, number, "ann").await?) });
    }
    let done = crowd.join_all().await;
    assert_eq!(
        done.iter().filter(|done| done.is_ok()).count(),
        1,
        "{done:?}"
    );
    let refused = |done: &Result<_, _>| matches!(done, Err(LedgerError::Insufficient { .. }));
    assert_eq!(
        done.iter().filter(|done| refused(done)).count(),
        4,
        "{done:?}"
    );
    assert_eq!(place.violations().await, []);
}

async fn one_that_fails_takes_nothing_from_the_others() {
    let place = Place::new().await;
    pay_in(&place, &["ann", "bob"], 1_000_000).await;
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let storage = place.storage.clone();
        crowd.spawn(async move {
            let done = together!(storage, tx => {
                let record = book(tx, number, if number % 2 == 0 { "ann" } else { "bob" }).await?;
                // One of them is refused by the database, and one by itself.
                if number == 7 {
                    tx.append_fact(ChainId(-1), None, &missing("x"), at(1), None).await?;
                }
                if number == 9 {
                    return Err(LedgerError::Closed);
                }
                record.chain
            });
            (number, done)
        });
    }
    for (number, done) in crowd.join_all().await {
        match number {
            7 => assert!(
                matches!(&done, Err(LedgerError::Storage(StorageError::Refused(_)))),
                "{done:?}"
            ),
            9 => assert!(matches!(&done, Err(LedgerError::Closed)), "{done:?}"),
            _ => assert!(done.is_ok(), "{number}: {done:?}"),
        }
        let key = format!("uid:{number}");
        let found = read!(place.storage, tx => tx.find_chain(&source(), &key).await?);
        assert_eq!(found.unwrap().is_some(), done.is_ok(), "{number}");
    }
    assert_eq!(place.violations().await, []);
}

async fn who_wait_for_each_other_go_alone() {
    let place = Place::new().await;
    let [one, other] = store!(place.storage, tx => {
        let one = tx.chain_for(&source(), &keys(&["one"]), at(0)).await?;
        [one, tx.chain_for(&source(), &keys(&["other"]), at(0)).await?]
    })
    .unwrap();
    let mut crowd = JoinSet::new();
    for (first, second) in [(one, other), (other, one)] {
        let storage = place.storage.clone();
        crowd.spawn(async move {
            together!(storage, tx => {
                tx.lock_chain(first).await?;
                tx.append_fact(first, None, &missing("first"), at(1), None).await?;
                tx.lock_chain(second).await?;
                tx.append_fact(second, None, &missing("second"), at(1), None).await?;
            })
            .unwrap();
        });
    }
    crowd.join_all().await;
    for chain in [one, other] {
        let kept = read!(place.storage, tx => tx.load_chain(chain).await?.unwrap());
        assert_eq!(kept.unwrap().facts.len(), 2);
    }
}

async fn a_panic_is_one_failure_and_closing_waits_for_the_rest() {
    let place = Place::new().await;
    let storage = place.storage.clone();
    let panics =
        storage.write_together::<(), StorageError, _>(|_| Box::pin(async { panic!("on purpose") }));
    assert_eq!(panics.await, Err(StorageError::Panicked));
    let storage = place.storage.clone();
    let last = tokio::spawn(async move {
        together!(storage, tx => tx.chain_for(&source(), &keys(&["last"]), at(0)).await?)
    });
    last.await.unwrap().unwrap();
    place.storage.close().await;
    let late = place
        .storage
        .write_together::<(), StorageError, _>(|_| Box::pin(async { Ok(()) }));
    assert_eq!(late.await, Err(StorageError::Closed));
}

on_both!(
    a_crowd_is_served_as_if_each_came_alone,
    credit_for_one_is_held_by_one,
    one_that_fails_takes_nothing_from_the_others,
    who_wait_for_each_other_go_alone,
    a_panic_is_one_failure_and_closing_waits_for_the_rest,
);
