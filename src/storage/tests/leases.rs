//! Leases: one worker for each chain, and a successor when it dies.

use super::*;

/// Chains that are due at these seconds.
async fn due(place: &Place, seconds: &'static [i64]) -> Vec<ChainId> {
    store!(place.storage, tx => {
        let mut chains = Vec::new();
        for (number, second) in seconds.iter().enumerate() {
            let key = format!("uid:{number}");
            let chain = tx.chain_for(&source(), &[key], at(0)).await?;
            tx.set_due(chain, Some(at(*second))).await?;
            chains.push(chain);
        }
        chains
    })
    .unwrap()
}

async fn claim(place: &Place, worker: &'static str, second: i64, limit: u32) -> Vec<Lease> {
    store!(place.storage, tx => tx.claim(worker, at(second), 30_000, limit).await?).unwrap()
}

async fn next_due(place: &Place) -> Option<Timestamp> {
    read!(place.storage, tx => tx.next_due().await?).unwrap()
}

/// When the chain is due then; `None` if the lease was lost.
async fn release(
    place: &Place,
    lease: &Lease,
    due: Option<Timestamp>,
) -> Option<Option<Timestamp>> {
    let lease = lease.clone();
    let released = store!(place.storage, tx => tx.release_lease(&lease, due).await?).unwrap();
    released.map(|released| released.due)
}

async fn holds(place: &Place, lease: &Lease) -> bool {
    let lease = lease.clone();
    let (seen, locked, looked) = store!(place.storage, tx => {
        let looked = tx.look_at(&lease).await?;
        (tx.held_version(&lease).await?, tx.lock_leased(&lease).await?, looked)
    })
    .unwrap();
    assert_eq!(
        (seen, seen.map(|version| (version, None))),
        (locked, looked)
    );
    seen.is_some()
}

async fn the_longest_waiting_come_first_and_each_goes_to_one_worker() {
    let place = Place::new().await;
    let chains = due(&place, &[30, 10, 20, 99]).await;
    let first = claim(&place, "w1", 40, 2).await;
    let mut got: Vec<_> = first.iter().map(|lease| lease.chain).collect();
    got.sort_unstable();
    assert_eq!(got, [chains[1], chains[2]]);
    assert_eq!(first[0].until, at(70));
    assert_eq!(first[0].source, source());
    let second = claim(&place, "w2", 40, 9).await;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].chain, chains[0]);
    assert!(claim(&place, "w3", 40, 9).await.is_empty());
    assert_eq!(next_due(&place).await, Some(at(70)), "the first expiry");
}

async fn a_dead_workers_lease_is_taken_over_and_its_fence_no_longer_holds() {
    let place = Place::new().await;
    due(&place, &[0]).await;
    let old = claim(&place, "w1", 0, 1).await.remove(0);
    assert!(claim(&place, "w2", 29, 1).await.is_empty());
    assert!(holds(&place, &old).await);
    let new = claim(&place, "w2", 30, 1).await.remove(0);
    assert!(new.fence > old.fence);
    assert!(!holds(&place, &old).await);
    assert!(holds(&place, &new).await);
    assert_eq!(release(&place, &old, None).await, None);
    let renewed = store!(place.storage, tx => {
        (tx.renew(&old, at(90)).await?, tx.renew(&new, at(90)).await?)
    });
    assert_eq!(renewed, Ok((false, true)));
    assert_eq!(next_due(&place).await, Some(at(90)));
}

async fn a_worker_sees_its_own_expired_leases_and_takes_none_over() {
    let place = Place::new().await;
    due(&place, &[0, 0]).await;
    let own = claim(&place, "w1", 0, 1).await;
    claim(&place, "w2", 0, 1).await;
    let expired =
        async |second| read!(place.storage, tx => tx.expired_of("w1", at(second)).await?).unwrap();
    assert_eq!(expired(29).await, []);
    assert_eq!(expired(30).await, own);
    let others = claim(&place, "w1", 30, 9).await;
    assert_eq!(others.len(), 1);
    assert_ne!(others[0].chain, own[0].chain);
}

async fn who_takes_nothing_over_gets_what_is_free() {
    let place = Place::new().await;
    let chains = due(&place, &[0, 50]).await;
    claim(&place, "w1", 0, 1).await;
    let free = store!(place.storage, tx => tx.claim_free("w2", at(60), 30_000, 9).await?).unwrap();
    let got: Vec<_> = free.iter().map(|lease| lease.chain).collect();
    assert_eq!(
        got,
        [chains[1]],
        "the other's lease has expired and is left alone"
    );
    assert_eq!(claim(&place, "w2", 60, 9).await[0].chain, chains[0]);
}

async fn a_lease_given_back_is_no_lease() {
    let place = Place::new().await;
    due(&place, &[0]).await;
    let lease = claim(&place, "w1", 0, 1).await.remove(0);
    let due = Some(at(500));
    assert_eq!(release(&place, &lease, due).await, Some(due));
    assert!(!holds(&place, &lease).await);
    assert_eq!(release(&place, &lease, None).await, None, "twice is once");
    assert_eq!(next_due(&place).await, Some(at(500)));
}

async fn nothing_to_do_means_not_due() {
    let place = Place::new().await;
    due(&place, &[0]).await;
    let lease = claim(&place, "w1", 0, 1).await.remove(0);
    release(&place, &lease, None).await;
    assert_eq!(next_due(&place).await, None);
}

async fn what_others_asked_for_meanwhile_is_not_forgotten() {
    let place = Place::new().await;
    let chain = due(&place, &[0]).await[0];
    for (asked, wish, expected) in [
        (20, Some(at(500)), at(20)),
        (20, None, at(20)),
        (600, Some(at(500)), at(500)),
    ] {
        store!(place.storage, tx => tx.set_due(chain, Some(at(0))).await?).unwrap();
        let lease = claim(&place, "w1", 1, 1).await.remove(0);
        store!(place.storage, tx => tx.due_no_later_than(chain, at(asked)).await?).unwrap();
        let due = release(&place, &lease, wish).await;
        assert_eq!(due, Some(Some(expected)));
        assert_eq!(next_due(&place).await, Some(expected));
    }
}

async fn due_is_never_put_off_by_a_later_wish() {
    let place = Place::new().await;
    let chain = due(&place, &[30]).await[0];
    store!(place.storage, tx => tx.due_no_later_than(chain, at(40)).await?).unwrap();
    assert_eq!(next_due(&place).await, Some(at(30)));
    store!(place.storage, tx => tx.due_no_later_than(chain, at(20)).await?).unwrap();
    assert_eq!(next_due(&place).await, Some(at(20)));
}

async fn the_lease_of_a_chain_that_was_merged_away_is_void() {
    let place = Place::new().await;
    let chains = due(&place, &[5, 5]).await;
    let leases = claim(&place, "w1", 5, 2).await;
    let lease_of = |chain| leases.iter().find(|lease| lease.chain == chain).unwrap();
    let (survivor, gone) = (lease_of(chains[0]), lease_of(chains[1]));
    let both = keys(&["uid:0", "uid:1"]);
    store!(place.storage, tx => tx.chain_for(&source(), &both, at(8)).await?).unwrap();
    assert!(holds(&place, survivor).await);
    assert!(!holds(&place, gone).await);
    assert_eq!(release(&place, gone, Some(at(9))).await, None);
    let lost = gone.clone();
    let renewed = store!(place.storage, tx => tx.renew(&lost, at(900)).await?);
    assert_eq!(renewed, Ok(false));
    // The work that was lost is taken up again.
    release(&place, survivor, Some(at(500))).await;
    assert_eq!(next_due(&place).await, Some(at(8)));
}

#[tokio::test]
async fn after_a_restart_leased_chains_are_due_at_once() {
    let mut place = Place::new().await;
    due(&place, &[0]).await;
    let lease = claim(&place, "w1", 0, 1).await.remove(0);
    place.reopen().await;
    assert!(!holds(&place, &lease).await);
    let again = claim(&place, "w1", 1, 1).await.remove(0);
    assert!(again.fence > lease.fence);
}

on_both! {
    the_longest_waiting_come_first_and_each_goes_to_one_worker,
    a_dead_workers_lease_is_taken_over_and_its_fence_no_longer_holds,
    a_worker_sees_its_own_expired_leases_and_takes_none_over,
    who_takes_nothing_over_gets_what_is_free,
    a_lease_given_back_is_no_lease,
    nothing_to_do_means_not_due,
    what_others_asked_for_meanwhile_is_not_forgotten,
    due_is_never_put_off_by_a_later_wish,
    the_lease_of_a_chain_that_was_merged_away_is_void,
}
