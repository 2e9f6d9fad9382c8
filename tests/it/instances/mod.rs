//! Several daemons on one database: each thing is done once, what one leaves another does, and together
//! they stay below the provider's limit. And one daemon whose clock is set by an hour.

mod clock;
pub(crate) mod second;
mod surveying;

use std::collections::BTreeSet;
use std::time::Duration;

use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::{Matcher, Operation, Pause, Subscription};
use serde_json::Value;

use self::second::{Second, leased, settle_both};
use crate::harness::{Installation, SECRET, Setup, run_test, run_test_on_server};

const SECOND_MS: i64 = 1_000;
const LEASE_MS: i64 = 30 * SECOND_MS;
/// Between two looks at something that another task is about to do.
const POLL: Duration = Duration::from_millis(5);

fn one_place() -> Setup {
    Setup {
        worker: "concurrency = 1",
        ..Setup::default()
    }
}

fn confirming() -> Matcher {
    Matcher::operation(Operation::Confirm)
}

/// The ids of those listed as alive, or as dead.
fn listed(list: &Value, alive: bool) -> BTreeSet<&str> {
    let all = list["items"].as_array().unwrap().iter();
    let those = all.filter(|instance| instance["alive"] == alive);
    those.map(|one| one["id"].as_str().unwrap()).collect()
}

async fn instances(it: &Installation) -> Value {
    it.get("/v1/instances").await.1
}

/// Waits until so many are on the list.
async fn listed_are(it: &Installation, number: usize) -> Value {
    loop {
        let list = instances(it).await;
        if list["items"].as_array().unwrap().len() == number {
            return list;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn attempts(it: &Installation, uid: &Uid) -> Vec<String> {
    let booking = it.booking(uid).await;
    let attempts = booking["calls"][0]["attempts"].as_array().unwrap();
    let result = |attempt: &Value| attempt["result"].as_str().unwrap_or("open").to_owned();
    attempts.iter().map(result).collect()
}

/// Calls that were to change a booking, whatever came of them.
fn changing_calls(it: &Installation, uid: &Uid) -> usize {
    let calls = it.cal.calls().into_iter();
    calls
        .filter(|call| call.operation.changes() && call.uid.as_ref() == Some(uid))
        .count()
}

/// Waits until the stand-in has carried out a call that nobody waits for any more.
async fn accepted(it: &Installation, uid: &Uid) {
    while it.status_at_cal(uid) != "accepted" {
        tokio::time::sleep(POLL).await;
    }
}

/// Keeps the only place of the first daemon busy with a booking, then starts the second.
async fn with_the_first_busy(it: &Installation) -> (Uid, Pause, Second) {
    let busy = it.cal.pause_next(confirming());
    let uid = it.book(72).await.uid;
    busy.reached().await;
    (uid, busy, Second::start(it).await)
}

#[tokio::test]
async fn an_instance_is_listed_while_it_lives() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let list = listed_are(it, 1).await;
        let this = &list["items"][0];
        assert_eq!(listed(&list, true).len(), 1, "{list}");
        assert_eq!(this["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(this["started_at"], "2027-03-01T12:00:00Z");
        assert_eq!(this["seen_at"], this["started_at"]);
        assert!(!this["host"].as_str().unwrap().is_empty());
        it.clock.advance_ms(LEASE_MS);
        let later = instances(it).await;
        assert_eq!(listed(&later, false), listed(&list, true), "silent so long");
        it.stop().await;
        it.begin().await;
        let again = listed_are(it, 1).await;
        assert!(listed(&again, true).is_disjoint(&listed(&list, true)));
    })
    .await;
}

#[tokio::test]
async fn two_daemons_do_everything_once() {
    run_test_on_server(Setup::default(), async |it: &mut Installation| {
        it.top_up("20").await;
        let second = Second::start(it).await;
        let both = Subscription::to_everything(second.webhooks(), SECRET);
        it.cal.subscribe(both).unwrap();
        let this: &Installation = it;
        let booked = futures_util::future::join_all((0..20).map(|hour| this.book(72 + hour))).await;
        settle_both(it, &second).await;
        let end = |status| {
            let uids = booked.iter().map(|booking| &booking.uid);
            uids.filter(|uid| it.status_at_cal(uid) == status).count()
        };
        assert_eq!((end("accepted"), end("rejected")), (10, 10));
        for booking in &booked {
            assert_eq!(changing_calls(it, &booking.uid), 1);
            let seen = it.booking(&booking.uid).await;
            assert_eq!(seen["decisions"].as_array().unwrap().len(), 1, "{seen}");
        }
        it.assert_balance("0", "0").await;
        let here = listed_are(it, 2).await;
        let there = second.get("/v1/instances").await;
        assert_eq!(here, there);
        assert_eq!(listed(&here, true).len(), 2, "{here}");
        second.stopped().await;
    })
    .await;
}

#[tokio::test]
async fn what_one_has_no_place_for_the_other_does() {
    run_test_on_server(one_place(), async |it: &mut Installation| {
        it.top_up("20").await;
        let (uid, busy, second) = with_the_first_busy(it).await;
        for hour in 73..78 {
            // Comes in at the first, and nobody but the store's bell wakes the second.
            let other = it.book(hour).await.uid;
            accepted(it, &other).await;
        }
        assert_eq!(it.status_at_cal(&uid), "pending");
        busy.release();
        settle_both(it, &second).await;
        it.assert_balance("8", "0").await;
        second.stopped().await;
    })
    .await;
}

#[tokio::test]
async fn the_work_of_one_that_dies_is_taken_over_when_its_lease_ends() {
    // So short that it is over with the lease, and its grace.
    let setup = Setup {
        call_timeout_ms: 8_000,
        ..one_place()
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        it.top_up("20").await;
        let (first, busy, second) = with_the_first_busy(it).await;
        let held = it.cal.pause_next(confirming());
        let uid = it.book(96).await.uid;
        held.reached().await;
        assert_eq!(leased(it).len(), 2);
        second.die();
        busy.release();
        held.release();
        accepted(it, &uid).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&first), "accepted");
        it.pass_ms(LEASE_MS - 1).await;
        assert_eq!(leased(it).len(), 1, "it may still live");
        it.pass_ms(1).await;
        assert_eq!(attempts(it, &uid).await, ["unknown"], "its webhook told");
        assert_eq!(changing_calls(it, &uid), 1);
        assert!(leased(it).is_empty());
        it.assert_balance("16", "0").await;
    })
    .await;
}

#[tokio::test]
async fn who_was_taken_over_does_nothing_more() {
    // Renewed so seldom, by the machine's time, that the lease runs out while its holder lives.
    let setup = Setup {
        worker: "concurrency = 1\nlease_ms = 600000",
        ..Setup::default()
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        it.top_up("20").await;
        let (first, busy, second) = with_the_first_busy(it).await;
        let held = it.cal.pause_next(Matcher::operation(Operation::Read));
        let uid = it.book(96).await.uid;
        held.reached().await;
        busy.release();
        it.settle().await;
        assert_eq!(it.status_at_cal(&first), "accepted");
        assert_eq!(changing_calls(it, &uid), 0);
        it.pass_ms(20 * LEASE_MS).await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        let done = attempts(it, &uid).await;
        held.release();
        settle_both(it, &second).await;
        assert_eq!(attempts(it, &uid).await, done);
        assert_eq!(changing_calls(it, &uid), 1);
        it.assert_balance("16", "0").await;
        second.stopped().await;
    })
    .await;
}

#[tokio::test]
async fn who_stops_in_order_leaves_nothing_behind() {
    run_test_on_server(one_place(), async |it: &mut Installation| {
        it.top_up("20").await;
        let (_, busy, second) = with_the_first_busy(it).await;
        let held = it.cal.pause_next(confirming());
        let uid = it.book(96).await.uid;
        held.reached().await;
        let waiting = it.book(97).await.uid;
        second.ask_to_stop();
        held.release();
        second.stopped().await;
        assert_eq!(
            it.status_at_cal(&uid),
            "accepted",
            "what was begun is ended"
        );
        assert_eq!(attempts(it, &uid).await, ["ok"]);
        assert_eq!(it.status_at_cal(&waiting), "pending", "and no more");
        assert_eq!(leased(it).len(), 1, "the first one's");
        let list = instances(it).await;
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(listed(&list, true).len(), 1, "{list}");
        busy.release();
        it.settle().await;
        assert_eq!(it.cal.live().len(), 3);
        it.assert_balance("14", "0").await;
    })
    .await;
}

#[tokio::test]
async fn together_they_stay_below_the_provider_s_limit() {
    const LIMIT: usize = 16;
    let setup = Setup {
        requests_per_minute: 16,
        worker: "lease_ms = 600000",
        ..Setup::default()
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        it.top_up("100").await;
        listed_are(it, 1).await;
        let second = Second::start(it).await;
        listed_are(it, 2).await;
        // Started again, the first knows from the beginning that there are two.
        it.stop().await;
        it.begin().await;
        for hour in 0..12 {
            it.book(72 + hour).await;
        }
        let mut made = Vec::new();
        while it.cal.live().len() < 12 {
            settle_both(it, &second).await;
            made.push(it.cal.calls().len());
            assert!(made.len() < 60, "{made:?}");
            it.clock.advance_ms(10 * SECOND_MS);
        }
        assert!(made[0] <= 4, "two at once each: {made:?}");
        for (later, before) in made[5..].iter().zip([0].iter().chain(&made)) {
            assert!(later - before <= LIMIT, "in a minute: {made:?}");
        }
        settle_both(it, &second).await;
        second.stopped().await;
    })
    .await;
}
