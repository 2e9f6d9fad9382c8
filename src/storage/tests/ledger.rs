//! The ledger's operations, one by one and all at once. The laws in general are in [`super::model`].

use super::*;
use crate::domain::ids::HoldId;

async fn balance(place: &Place, name: &str) -> (i64, i64) {
    let owner = owner(name);
    let found = read!(place.storage, tx => tx.balances(&owner).await?).unwrap();
    let balance = found.unwrap().remove(0);
    (balance.posted, balance.held)
}

async fn rich(minor: i64) -> Place {
    let place = Place::new().await;
    post!(place.storage, tx => tx.top_up(&top_up("ada", minor), at(0)).await?).unwrap();
    place
}

async fn hold(place: &Place, uid: &'static str, minor: i64) -> Result<HoldId, LedgerError> {
    post!(place.storage, tx => {
        let request = tx.request("ada", uid, minor).await?;
        tx.hold(&request, at(1)).await?
    })
}

async fn a_top_up_makes_the_account_and_returns_what_it_has() {
    let place = rich(500).await;
    let more = post!(place.storage, tx => tx.top_up(&top_up("ada", 250), at(1)).await?).unwrap();
    assert_eq!((more.posted, more.held, more.available()), (750, 0, 750));
    let facts =
        read!(place.storage, tx => tx.account_facts(&owner("ada")).await?.unwrap()).unwrap();
    assert_eq!(
        (facts.status, facts.created_at),
        (AccountStatus::Open, at(0))
    );
    let unknown = read!(place.storage, tx => tx.balances(&owner("eve")).await?);
    assert_eq!(unknown, Ok(None));
}

async fn odd_top_ups_are_refused() {
    let place = rich(1).await;
    for minor in [0, -5, i64::MAX, crate::ledger::BALANCE_MINOR_MAX] {
        let refused = post!(place.storage, tx => tx.top_up(&top_up("ada", minor), at(1)).await?);
        assert_eq!(refused, Err(LedgerError::Amount(credits(minor))));
    }
    let points = UnitCode::try_from("POINTS").unwrap();
    let mut odd = top_up("ada", 5);
    odd.amount.unit = points.clone();
    let refused = post!(place.storage, tx => tx.top_up(&odd, at(1)).await?);
    assert_eq!(refused, Err(LedgerError::UnknownUnit(points)));
    assert_eq!(balance(&place, "ada").await, (1, 0));
}

async fn a_hold_is_captured_once_and_refunded_in_parts() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    assert_eq!(balance(&place, "ada").await, (500, 200));
    let steps = store!(place.storage, tx => (
        tx.capture(id, at(2)).await?,
        tx.capture(id, at(3)).await?,
        tx.release_hold(id, at(3)).await?,
        tx.refund(id, 150, "cancelled", at(4)).await?,
        tx.refund(id, 50, "cancelled", at(5)).await?,
        tx.refund(id, 50, "cancelled", at(6)).await?,
    ))
    .unwrap();
    let (new, again) = (Posted::New(()), Posted::Duplicate);
    assert_eq!(steps, (new, again, again, new, new, again));
    assert_eq!(balance(&place, "ada").await, (500, 0));
    assert!(place.violations().await.is_empty());
}

async fn what_came_back_is_charged_again_once_and_only_if_it_is_there() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    store!(place.storage, tx => {
        tx.capture(id, at(2)).await?;
        tx.refund(id, 150, "nobody came", at(3)).await?
    })
    .unwrap();
    let steps = post!(place.storage, tx => (
        tx.charge_again(id, 150, "came", at(4)).await?,
        tx.charge_again(id, 150, "came", at(5)).await?,
        tx.charge_again(id, 0, "came", at(5)).await?,
    ));
    let again = Posted::Duplicate;
    assert_eq!(steps, Ok((Posted::New(()), again, again)));
    assert_eq!(balance(&place, "ada").await, (300, 0));

    store!(place.storage, tx => tx.refund(id, 150, "nobody came", at(6)).await?).unwrap();
    hold(&place, "b", 301).await.unwrap();
    let refused = post!(place.storage, tx => tx.charge_again(id, 150, "came", at(7)).await?);
    let expected = LedgerError::Insufficient {
        asked: credits(150),
        available: 149,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(balance(&place, "ada").await, (450, 301));
    assert!(place.violations().await.is_empty());
}

async fn no_more_is_refunded_than_was_captured() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    store!(place.storage, tx => tx.capture(id, at(2)).await?).unwrap();
    let refused = store!(place.storage, tx => {
        tx.refund(id, 150, "first", at(4)).await?;
        tx.refund(id, 51, "second", at(5)).await?
    });
    let expected = StorageError::RefundTooLarge {
        hold: id,
        asked: 51,
        left: 50,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(
        balance(&place, "ada").await,
        (300, 0),
        "both were taken back"
    );
}

async fn a_released_hold_is_over() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    let steps = store!(place.storage, tx => (
        tx.release_hold(id, at(2)).await?,
        tx.release_hold(id, at(3)).await?,
        tx.capture(id, at(3)).await?,
        tx.refund(id, 1, "?", at(4)).await?,
    ))
    .unwrap();
    let again = Posted::Duplicate;
    assert_eq!(steps, (Posted::New(()), again, again, again));
    assert_eq!(balance(&place, "ada").await, (500, 0));
}

async fn one_decision_holds_once() {
    let place = rich(500).await;
    let (first, again) = post!(place.storage, tx => {
        let request = tx.request("ada", "a", 200).await?;
        (tx.hold(&request, at(1)).await?, tx.hold(&request, at(2)).await?)
    })
    .unwrap();
    assert_eq!(first, again);
    assert_eq!(balance(&place, "ada").await, (500, 200));
}

async fn too_little_credit_is_told_with_what_there_is() {
    let place = rich(500).await;
    hold(&place, "a", 200).await.unwrap();
    let short = |minor, available| LedgerError::Insufficient {
        asked: credits(minor),
        available,
    };
    assert_eq!(hold(&place, "b", 301).await, Err(short(301, 300)));
    let stranger = post!(place.storage, tx => {
        let request = tx.request("eve", "c", 1).await?;
        tx.hold(&request, at(1)).await?
    });
    assert_eq!(stranger, Err(short(1, 0)));
    assert_eq!(hold(&place, "d", 300).await.map(|_| ()), Ok(()));
}

async fn a_credit_limit_may_be_used_and_not_passed() {
    let place = rich(100).await;
    place
        .tamper("UPDATE account SET credit_limit = 50 WHERE kind = 'booker'")
        .await;
    assert!(hold(&place, "a", 151).await.is_err());
    let id = hold(&place, "b", 150).await.unwrap();
    store!(place.storage, tx => tx.capture(id, at(2)).await?).unwrap();
    assert_eq!(balance(&place, "ada").await, (-50, 0));
    assert!(place.violations().await.is_empty());
}

async fn a_frozen_account_holds_nothing_new_and_lets_go() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    place
        .tamper("UPDATE account SET status = 'frozen' WHERE kind = 'booker'")
        .await;
    assert_eq!(hold(&place, "b", 1).await, Err(LedgerError::Frozen));
    store!(place.storage, tx => tx.release_hold(id, at(2)).await?).unwrap();
    assert_eq!(balance(&place, "ada").await, (500, 0));
    place
        .tamper("UPDATE account SET status = 'closed' WHERE kind = 'booker'")
        .await;
    assert_eq!(hold(&place, "c", 1).await, Err(LedgerError::Closed));
    let refused = post!(place.storage, tx => tx.top_up(&top_up("ada", 5), at(3)).await?);
    assert_eq!(refused, Err(LedgerError::Closed));
}

async fn a_carry_frees_the_old_hold_for_the_new_one() {
    let place = rich(300).await;
    let kept = hold(&place, "a", 200).await.unwrap();
    let open = hold(&place, "b", 100).await.unwrap();
    let carried = post!(place.storage, tx => {
        tx.capture(kept, at(2)).await?;
        tx.refund(kept, 50, "half", at(3)).await?;
        let request = tx.request("ada", "c", 250).await?;
        let hold = tx.carry(&[kept, open], &request, at(4)).await?;
        assert_eq!(tx.carry(&[kept, open], &request, at(5)).await?, hold);
        assert_eq!(tx.capture(open, at(5)).await?, Posted::Duplicate);
        tx.load_chain(request.chain).await?.unwrap().holds.remove(0)
    })
    .unwrap();
    assert_eq!(
        (carried.state, carried.amount.minor),
        (HoldState::Held, 250)
    );
    assert_eq!(balance(&place, "ada").await, (300, 250));
    let old = read!(place.storage, tx => {
        let chain = tx.find_chain(&source(), "a").await?.unwrap();
        tx.load_chain(chain).await?.unwrap().holds.remove(0)
    })
    .unwrap();
    assert_eq!(
        (old.state, old.captured, old.refunded),
        (HoldState::Carried, 200, 200)
    );
    assert!(place.violations().await.is_empty());
}

async fn a_carry_that_is_refused_changes_nothing_even_if_it_is_committed() {
    let place = rich(300).await;
    let id = hold(&place, "a", 200).await.unwrap();
    let refused = post!(place.storage, tx => {
        let request = tx.request("ada", "b", 301).await?;
        tx.carry(&[id], &request, at(4)).await
    });
    let expected = LedgerError::Insufficient {
        asked: credits(301),
        available: 300,
    };
    assert_eq!(refused, Ok(Err(expected)));
    assert_eq!(balance(&place, "ada").await, (300, 200));
    assert!(place.violations().await.is_empty());
}

async fn a_carry_may_go_to_another_account() {
    let place = rich(300).await;
    let id = hold(&place, "a", 200).await.unwrap();
    post!(place.storage, tx => {
        tx.top_up(&top_up("bob", 90), at(2)).await?;
        let request = tx.request("bob", "b", 80).await?;
        tx.carry(&[id], &request, at(4)).await?
    })
    .unwrap();
    assert_eq!(balance(&place, "ada").await, (300, 0));
    assert_eq!(balance(&place, "bob").await, (90, 80));
    assert!(place.violations().await.is_empty());
}

async fn entries_tell_the_story_page_by_page() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    store!(place.storage, tx => tx.capture(id, at(2)).await?).unwrap();
    let in_credit = EntryFilter {
        unit: Some(credit()),
        ..EntryFilter::default()
    };
    let mut told = Vec::new();
    let mut after = None;
    loop {
        let in_credit = in_credit.clone();
        let page = read!(place.storage, tx => {
            tx.entries(&owner("ada"), &in_credit, after, 3).await?
        })
        .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.at);
        told.extend(page.into_iter().map(|entry| {
            let uid = entry.booking.map(|unit| unit.uid.as_str().to_owned());
            let after = (entry.posted_after, entry.held_after);
            (
                entry.kind,
                entry.amount.minor,
                after,
                uid.unwrap_or_default(),
            )
        }));
    }
    let line =
        |kind: &str, amount, after, uid: &str| (kind.to_owned(), amount, after, uid.to_owned());
    assert_eq!(
        told,
        [
            line("capture", -200, (300, 0), "a"),
            line("capture", -200, (300, 0), "a"),
            line("hold", 200, (500, 200), "a"),
            line("topup", 500, (500, 0), ""),
        ]
    );
    let of_kind = |kind: &str| EntryFilter {
        kind: Some(kind.to_owned()),
        ..in_credit.clone()
    };
    let between = |since, until| EntryFilter {
        since: Some(since),
        until: Some(until),
        ..EntryFilter::default()
    };
    for (filter, expected) in [
        (of_kind("capture"), 2),
        (of_kind("refund"), 0),
        // The capture's time is the first that is not in it.
        (between(at(0), at(2)), 2),
        (between(at(2), at(3)), 2),
    ] {
        let wanted = filter.clone();
        let entries = read!(place.storage, tx => {
            tx.entries(&owner("ada"), &wanted, None, 9).await?
        });
        assert_eq!(entries.unwrap().len(), expected, "{filter:?}");
    }
}

async fn a_waiver_is_written_once() {
    let place = Place::new().await;
    let (first, again, waivers) = store!(place.storage, tx => {
        let (chain, id) = tx.decided("a", 150).await?;
        let first = tx.waive(id, chain, &credits(150), "host", at(1)).await?;
        let again = tx.waive(id, chain, &credits(150), "host", at(2)).await?;
        (first, again, tx.load_chain(chain).await?.unwrap().waivers)
    })
    .unwrap();
    assert_eq!((first, again), (Posted::New(()), Posted::Duplicate));
    assert_eq!(waivers.len(), 1);
}

async fn the_table_itself_refuses_a_balance_below_the_limit() {
    let place = rich(5).await;
    for sql in [
        "UPDATE account SET posted = -1 WHERE kind = 'booker'",
        "UPDATE account SET held = 6 WHERE kind = 'booker'",
        "UPDATE account SET held = -1 WHERE kind = 'booker'",
        "UPDATE account SET tracked = 0 WHERE kind = 'booker'",
    ] {
        let refused = store!(place.storage, tx => tx.query(Sql::same(sql)).run().await?);
        assert!(matches!(refused, Err(StorageError::Refused(_))), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_at_once_just_those_are_paid_that_the_balance_covers() {
    let place = rich(1_000).await;
    let hold_one = |number: i64| {
        let storage = place.storage.clone();
        tokio::spawn(async move {
            post!(storage, tx => {
                let request = tx.request("ada", &format!("b{number}"), 100).await?;
                tx.hold(&request, at(1)).await?
            })
        })
    };
    let tasks: Vec<_> = (0..40).map(hold_one).collect();
    let mut held = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => held += 1,
            Err(LedgerError::Insufficient { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(held, 10);
    assert_eq!(balance(&place, "ada").await, (1_000, 1_000));
    assert!(place.violations().await.is_empty());
}

async fn accounts_are_listed_by_address_page_by_page() {
    let place = rich(500).await;
    for name in ["adam", "zoe", "bea"] {
        post!(place.storage, tx => tx.top_up(&top_up(name, 5), at(1)).await?).unwrap();
    }
    let (all, first, next, begins) = read!(place.storage, tx => (
        tx.accounts("", "", 9).await?,
        tx.accounts("", "", 2).await?,
        tx.accounts("", owner("adam").as_str(), 2).await?,
        tx.accounts("ada", "", 9).await?,
    ))
    .unwrap();
    let owners = |rows: &[(Owner, AccountRows)]| -> Vec<Owner> {
        rows.iter().map(|(owner, _)| owner.clone()).collect()
    };
    let named = |names: &[&str]| -> Vec<Owner> { names.iter().map(|name| owner(name)).collect() };
    assert_eq!(owners(&all), named(&["ada", "adam", "bea", "zoe"]));
    assert_eq!(owners(&first), named(&["ada", "adam"]));
    assert_eq!(owners(&next), named(&["bea", "zoe"]));
    assert_eq!(owners(&begins), named(&["ada", "adam"]));
    assert_eq!(all[0].1.balances[0].posted, 500);
}

async fn the_entries_of_a_chain_are_those_of_its_holds() {
    let place = rich(500).await;
    let id = hold(&place, "a", 200).await.unwrap();
    hold(&place, "b", 100).await.unwrap();
    let entries = store!(place.storage, tx => {
        tx.capture(id, at(2)).await?;
        let chain = tx.chain_for(&source(), &keys(&["a"]), at(2)).await?;
        tx.entries_of_chain(chain, 9).await?
    })
    .unwrap();
    let told: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(told, ["hold", "capture", "capture"]);
    assert!(entries.iter().all(|entry| entry.hold == Some(id)));
}

on_both! {
    accounts_are_listed_by_address_page_by_page,
    the_entries_of_a_chain_are_those_of_its_holds,
    a_top_up_makes_the_account_and_returns_what_it_has,
    odd_top_ups_are_refused,
    a_hold_is_captured_once_and_refunded_in_parts,
    what_came_back_is_charged_again_once_and_only_if_it_is_there,
    no_more_is_refunded_than_was_captured,
    a_released_hold_is_over,
    one_decision_holds_once,
    too_little_credit_is_told_with_what_there_is,
    a_credit_limit_may_be_used_and_not_passed,
    a_frozen_account_holds_nothing_new_and_lets_go,
    a_carry_frees_the_old_hold_for_the_new_one,
    a_carry_that_is_refused_changes_nothing_even_if_it_is_committed,
    a_carry_may_go_to_another_account,
    entries_tell_the_story_page_by_page,
    a_waiver_is_written_once,
    the_table_itself_refuses_a_balance_below_the_limit,
}
