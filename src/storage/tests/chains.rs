//! Chains: found by any key, and one in the end, whatever came first.

use super::*;
use crate::domain::decision::Action;

async fn a_chain_is_found_by_any_of_its_keys() {
    let place = Place::new().await;
    let (first, again, elsewhere, none) = store!(place.storage, tx => {
        let first = tx.chain_for(&source(), &keys(&["uid:a", "id:1"]), at(0)).await?;
        let again = tx.chain_for(&source(), &keys(&["id:1", "uid:b"]), at(1)).await?;
        let other = SourceName::new("back");
        let elsewhere = tx.chain_for(&other, &keys(&["uid:a"]), at(1)).await?;
        assert_eq!(tx.find_chain(&source(), "uid:b").await?, Some(first));
        (first, again, elsewhere, tx.find_chain(&source(), "uid:c").await?)
    })
    .unwrap();
    assert_eq!(first, again);
    assert_ne!(first, elsewhere, "each source has names of its own");
    assert_eq!(none, None);
}

async fn a_fact_makes_a_new_version_and_is_not_due_by_itself() {
    let place = Place::new().await;
    let (record, due) = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        let id = tx.filed(1, None).await?;
        tx.append_fact(chain, Some(id), &missing("a"), at(1), None).await?;
        tx.append_fact(chain, None, &missing("b"), at(2), None).await?;
        assert_eq!(tx.load_chain(chain).await?.unwrap().version, 2);
        (tx.load_chain(chain).await?.unwrap(), tx.next_due().await?)
    })
    .unwrap();
    let facts: Vec<_> = record.facts.into_iter().map(|fact| fact.body).collect();
    assert_eq!(facts, [missing("a"), missing("b")]);
    assert_eq!(due, None);
}

async fn a_new_chain_has_what_it_was_told_and_nothing_else() {
    let place = Place::new().await;
    let (new, stored, told_more, leased_again) = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        tx.append_fact(chain, None, &missing("a"), at(1), Some(at(1))).await?;
        let first = tx.claim_free("worker", at(1), 1_000, 1).await?.remove(0);
        let new = tx.load_new_chain(&first, 1).await?;
        let stored = tx.load_chain(chain).await?;
        let told_more = tx.load_new_chain(&first, 2).await?;
        tx.release_lease(&first, Some(at(2))).await?;
        let second = tx.claim_free("worker", at(2), 1_000, 1).await?.remove(0);
        (new, stored, told_more, tx.load_new_chain(&second, 1).await?)
    })
    .unwrap();
    assert_eq!(format!("{new:?}"), format!("{stored:?}"));
    assert!(new.is_some());
    assert!(told_more.is_none() && leased_again.is_none());
}

async fn one_delivery_gives_one_fact() {
    let place = Place::new().await;
    let twice = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        let id = tx.filed(1, None).await?;
        tx.append_fact(chain, Some(id), &missing("a"), at(1), None).await?;
        tx.append_fact(chain, Some(id), &missing("a"), at(1), None).await?;
    });
    assert!(matches!(twice, Err(StorageError::Refused(_))), "{twice:?}");
}

async fn a_chain_that_is_not_there() {
    let place = Place::new().await;
    let gone = ChainId(9);
    let loaded = read!(place.storage, tx => tx.load_chain(gone).await?.is_some());
    assert_eq!(loaded, Ok(false));
    let fact =
        store!(place.storage, tx => tx.append_fact(gone, None, &missing("a"), at(0), None).await?);
    assert!(fact.is_err());
}

async fn a_merge_takes_everything_along() {
    let place = Place::new().await;
    post!(place.storage, tx => {
        tx.top_up(&top_up("ada", 500), at(0)).await?;
        tx.chain_for(&source(), &keys(&["old"]), at(0)).await?;
        let request = tx.request("ada", "new", 100).await?;
        let chain = request.chain;
        tx.hold(&request, at(1)).await?;
        tx.waive(request.decision, chain, &credits(7), "a friend", at(1)).await?;
        let id = tx.filed(1, Some(chain)).await?;
        tx.append_fact(chain, Some(id), &missing("new"), at(1), None).await?;
        tx.insert_command(&command(chain, Some(request.decision)), at(1)).await?;
        tx.put_bookings(chain, &[booking(chain, "new", "pending")]).await?;
        tx.set_due(chain, Some(at(50))).await?;
    })
    .unwrap();
    let (old, gone, due) = store!(place.storage, tx => {
        let gone = tx.find_chain(&source(), "new").await?.unwrap();
        let old = tx.chain_for(&source(), &keys(&["new", "old"]), at(2)).await?;
        (old, gone, tx.next_due().await?)
    })
    .unwrap();
    assert!(old < gone, "the older one survives");
    assert_eq!(due, Some(at(50)));
    let (record, loaded, deliveries, line) = read!(place.storage, tx => (
        tx.load_chain(old).await?.unwrap(),
        tx.load_chain(gone).await?.is_some(),
        tx.deliveries_of_chain(old, 10).await?,
        tx.find_booking(&source(), "new").await?.unwrap(),
    ))
    .unwrap();
    assert_eq!(record.facts.len(), 1);
    assert_eq!(record.decisions.len(), 1);
    assert_eq!(record.commands.len(), 1);
    assert_eq!(record.holds.len(), 1);
    assert_eq!(record.waivers.len(), 1);
    assert_eq!(
        record.version, 2,
        "a merge is news, and the chain is not a new one"
    );
    assert_eq!((deliveries.len(), line.chain), (1, old));
    assert!(!loaded);
}

fn command(chain: ChainId, decision: Option<DecisionId>) -> NewCommand {
    NewCommand {
        chain,
        decision,
        unit: unit_key("new"),
        number: None,
        action: Action::Confirm,
        purpose: Purpose::Decision,
        reason: None,
        due_at: at(0),
    }
}

/// What may be heard of three bookings that are one: each alone, and two links.
const HEARD: [&[&str]; 5] = [&["a"], &["b"], &["c"], &["a", "b"], &["b", "c"]];

async fn whatever_is_heard_first_it_is_one_chain_in_the_end() {
    let place = Place::new().await;
    for (round, order) in orders(&[0, 1, 2, 3, 4]).into_iter().enumerate() {
        let name = SourceName::new(format!("s{round}"));
        let (facts, chains) = store!(place.storage, tx => {
            for heard in &order {
                let chain = tx.chain_for(&name, &keys(HEARD[*heard]), at(0)).await?;
                tx.append_fact(chain, None, &missing(&heard.to_string()), at(0), None).await?;
            }
            let mut chains = Vec::new();
            for key in ["a", "b", "c"] {
                chains.push(tx.find_chain(&name, key).await?.unwrap());
            }
            let lost = "SELECT 1 FROM chain WHERE source = $1 AND id <> $2
                        AND COALESCE(merged_into, 0) <> $2";
            let lost = tx.query(Sql::same(lost)).bind(&name).bind(chains[0]);
            assert!(lost.all().await?.is_empty(), "{order:?}: not merged into the survivor");
            (tx.load_chain(chains[0]).await?.unwrap().facts.len(), chains)
        })
        .unwrap();
        assert_eq!(facts, HEARD.len());
        assert!(chains.iter().all(|chain| *chain == chains[0]));
    }
}

/// Every order of these numbers.
fn orders(numbers: &[usize]) -> Vec<Vec<usize>> {
    let Some((&first, rest)) = numbers.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(rest) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, first);
            all.push(order);
        }
    }
    all
}

on_both! {
    a_chain_is_found_by_any_of_its_keys,
    a_fact_makes_a_new_version_and_is_not_due_by_itself,
    a_new_chain_has_what_it_was_told_and_nothing_else,
    one_delivery_gives_one_fact,
    a_chain_that_is_not_there,
    a_merge_takes_everything_along,
    whatever_is_heard_first_it_is_one_chain_in_the_end,
}
