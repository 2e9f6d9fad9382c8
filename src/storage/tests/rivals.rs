//! Many at once, as several instances are: what each of them does is done once, and nobody is lost.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::*;

const AT_ONCE: u8 = 8;

/// Does work until nothing gets in its way.
macro_rules! insist {
    ($work:expr) => {
        loop {
            match $work {
                Err(StorageError::Conflict(_)) => {}
                done => break done.unwrap(),
            }
        }
    };
}

async fn one_booking_is_one_chain_whoever_files_it() {
    let place = Place::new().await;
    let mut filing = JoinSet::new();
    for number in 0..AT_ONCE {
        let storage = place.storage.clone();
        // All of them share one name, and each knows another one besides.
        let names = keys(&["uid:shared", &format!("uid:{number}")]);
        filing.spawn(async move {
            insist!({
                let names = names.clone();
                store!(storage, tx => {
                    let chain = tx.chain_for(&source(), &names, at(0)).await?;
                    let due = Some(at(1));
                    tx.append_fact(chain, None, &missing("shared"), at(1), due).await?;
                })
            });
        });
    }
    filing.join_all().await;
    let record = read!(place.storage, tx => {
        let chain = tx.find_chain(&source(), "uid:shared").await?.unwrap();
        for number in 0..AT_ONCE {
            let found = tx.find_chain(&source(), &format!("uid:{number}")).await?;
            assert_eq!(found, Some(chain));
        }
        tx.load_chain(chain).await?.unwrap()
    })
    .unwrap();
    assert_eq!(record.facts.len(), usize::from(AT_ONCE));
}

async fn chains_that_turn_out_to_be_one_are_merged_once() {
    let place = Place::new().await;
    store!(place.storage, tx => {
        for number in 0..AT_ONCE {
            let key = format!("uid:{number}");
            let chain = tx.chain_for(&source(), &[key], at(0)).await?;
            tx.append_fact(chain, None, &missing("x"), at(1), None).await?;
        }
    })
    .unwrap();
    let mut joining = JoinSet::new();
    for number in 1..AT_ONCE {
        let storage = place.storage.clone();
        // Each joins two neighbours, some of them from the other end.
        let (low, high) = (format!("uid:{}", number - 1), format!("uid:{number}"));
        let names = if number % 2 == 0 {
            [low, high]
        } else {
            [high, low]
        };
        joining.spawn(async move {
            insist!({
                let names = names.clone();
                store!(storage, tx => tx.chain_for(&source(), &names, at(2)).await?)
            });
        });
    }
    joining.join_all().await;
    let (chains, facts) = read!(place.storage, tx => {
        let mut chains = BTreeSet::new();
        for number in 0..AT_ONCE {
            let key = format!("uid:{number}");
            chains.insert(tx.find_chain(&source(), &key).await?.unwrap());
        }
        let survivor = *chains.first().unwrap();
        (chains, tx.load_chain(survivor).await?.unwrap().facts)
    })
    .unwrap();
    assert_eq!(chains.len(), 1, "all names lead to one chain");
    assert_eq!(
        facts.len(),
        usize::from(AT_ONCE),
        "and it has all that was known"
    );
}

async fn a_chain_is_claimed_by_one_worker() {
    let place = Place::new().await;
    store!(place.storage, tx => {
        for number in 0..60 {
            let key = format!("uid:{number}");
            let chain = tx.chain_for(&source(), &[key], at(0)).await?;
            tx.set_due(chain, Some(at(1))).await?;
        }
    })
    .unwrap();
    let mut working = JoinSet::new();
    for number in 0..AT_ONCE {
        let storage = place.storage.clone();
        working.spawn(async move {
            let worker = format!("w{number}");
            let mut mine = Vec::new();
            loop {
                let worker = worker.clone();
                let claimed =
                    store!(storage, tx => tx.claim(&worker, at(2), 30_000, 3).await?).unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|lease| lease.chain));
            }
        });
    }
    let claimed: Vec<_> = working.join_all().await.into_iter().flatten().collect();
    let different: BTreeSet<_> = claimed.iter().collect();
    assert_eq!(
        claimed.len(),
        different.len(),
        "no chain went to two workers"
    );
    // A worker that finds only rows that others are taking goes away empty; they are claimed all the same.
    assert_eq!(different.len(), 60);
}

async fn a_delivery_is_filed_by_one_instance() {
    let place = Place::new().await;
    store!(place.storage, tx => {
        for number in 0..60 {
            tx.arrive(&[delivery(number)]).await?;
        }
    })
    .unwrap();
    let mut filing_all = JoinSet::new();
    for _ in 0..AT_ONCE {
        let storage = place.storage.clone();
        filing_all.spawn(async move {
            let mut mine = 0;
            loop {
                let filed = store!(storage, tx => {
                    let taken = tx.unfiled(5).await?;
                    for each in &taken {
                        let event = filing(DeliveryState::Event, None, None);
                        tx.file_delivery(each.id, &event, None, at(1)).await?;
                    }
                    taken.len()
                })
                .unwrap();
                if filed == 0 {
                    return mine;
                }
                mine += filed;
            }
        });
    }
    let filed: usize = filing_all.join_all().await.into_iter().sum();
    assert_eq!(filed, 60, "each by one");
}

async fn credit_is_held_once_by_whoever_decides_first() {
    let place = Place::new().await;
    post!(place.storage, tx => tx.top_up(&top_up("ada", 500), at(0)).await?).unwrap();
    let mut deciding = JoinSet::new();
    for number in 0..AT_ONCE {
        let storage = place.storage.clone();
        deciding.spawn(async move {
            let uid = format!("b{number}");
            insist!({
                let uid = uid.clone();
                store!(storage, tx => {
                    tx.locked_accounts(&owner("ada")).await?;
                    let balance = tx.balances(&owner("ada")).await?.unwrap().remove(0);
                    if balance.available() < 200 {
                        return Ok(false);
                    }
                    let request = tx.request("ada", &uid, 200).await?;
                    // What was seen before is there: nobody has it meanwhile.
                    tx.hold(&request, at(1)).await.unwrap();
                    true
                })
            })
        });
    }
    let held = deciding.join_all().await;
    assert_eq!(held.into_iter().filter(|held| *held).count(), 2);
    assert_eq!(place.violations().await, []);
}

async fn an_account_is_opened_once() {
    let place = Place::new().await;
    let mut paying = JoinSet::new();
    for _ in 0..AT_ONCE {
        let storage = place.storage.clone();
        paying.spawn(async move {
            loop {
                let paid = post!(storage, tx => tx.top_up(&top_up("ada", 100), at(0)).await?);
                match paid {
                    Err(LedgerError::Storage(StorageError::Conflict(_))) => {}
                    done => break done.unwrap(),
                }
            }
        });
    }
    paying.join_all().await;
    let balances = read!(place.storage, tx => tx.balances(&owner("ada")).await?.unwrap()).unwrap();
    assert_eq!(balances.len(), 1);
    assert_eq!(balances[0].posted, 100 * i64::from(AT_ONCE));
    assert_eq!(place.violations().await, []);
}

on_both! {
    one_booking_is_one_chain_whoever_files_it,
    chains_that_turn_out_to_be_one_are_merged_once,
    a_chain_is_claimed_by_one_worker,
    a_delivery_is_filed_by_one_instance,
    credit_is_held_once_by_whoever_decides_first,
    an_account_is_opened_once,
}
