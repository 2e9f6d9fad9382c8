//! Promise 4, word for word: whatever order and repetition the webhooks come in, the end is the same.

use std::collections::BTreeMap;

use bookgate::domain::clock::plus_ms;
use bookgate::standin::calcom::OutgoingWebhook;

use crate::harness::{Installation, Setup, noon};

/// The end of a story: what the provider shows, what is posted and held, and what we think.
#[derive(Debug, PartialEq, Eq)]
struct End {
    rows: Vec<&'static str>,
    thought: Vec<String>,
    balance: (String, String, String),
}

/// What people do; gives the ids in order.
type Story = fn(
    &Installation,
) -> std::pin::Pin<Box<dyn Future<Output = Vec<bookgate::domain::ids::Uid>> + '_>>;

async fn end_of(it: &Installation, uids: &[bookgate::domain::ids::Uid]) -> End {
    let mut thought = Vec::new();
    for uid in uids {
        thought.push(it.booking(uid).await["status"].as_str().unwrap().to_owned());
    }
    End {
        rows: uids.iter().map(|uid| it.status_at_cal(uid)).collect(),
        thought,
        balance: it.balance().await,
    }
}

/// Tells the story with all webhooks held, then delivers them in the order of `order` (indexes, which
/// may repeat), then whatever our own calls caused, each twice.
async fn tell(story: Story, order: &[usize]) -> End {
    let mut it = Installation::start(Setup::default()).await;
    it.top_up("5").await;
    it.hold_webhooks();
    let uids = story(&it).await;
    let webhooks = it.cal.take_outbox();
    assert_eq!(
        webhooks.len(),
        order.iter().max().unwrap() + 1,
        "the order names every webhook"
    );
    for &index in order {
        it.deliver(&webhooks[index]).await;
        it.settle().await;
    }
    loop {
        let echoes: Vec<OutgoingWebhook> = it.cal.take_outbox();
        if echoes.is_empty() {
            break;
        }
        for echo in echoes.iter().rev().chain(&echoes) {
            it.deliver(echo).await;
        }
        it.settle().await;
    }
    it.pass_ms(11_000).await;
    let end = end_of(&it, &uids).await;
    let violations = it.gate().desk().verify_ledger().await.unwrap();
    assert!(violations.is_empty(), "{violations:?}");
    it.stop().await;
    end
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for item in 0..of {
        let mut next = Vec::new();
        for partial in &all {
            for place in 0..=partial.len() {
                let mut one: Vec<usize> = partial.clone();
                one.insert(place, item);
                next.push(one);
            }
        }
        all = next;
    }
    all
}

async fn same_in_every_order(story: Story, webhooks: usize) {
    let straight: Vec<usize> = (0..webhooks).collect();
    let expected = tell(story, &straight).await;
    let mut ends = BTreeMap::new();
    for order in permutations(webhooks) {
        let mut repeated = order.clone();
        repeated.extend(order.iter().rev());
        for order in [order, repeated] {
            let end = tell(story, &order).await;
            if end != expected {
                ends.insert(order, end);
            }
        }
    }
    assert!(
        ends.is_empty(),
        "expected {expected:#?}, but these orders differ: {ends:#?}"
    );
}

#[tokio::test]
async fn a_booking_moved_by_the_booker() {
    let story: Story = |it| {
        Box::pin(async {
            let old = it.book(72).await;
            let at = plus_ms(noon(), 96 * 3_600_000);
            let new = it
                .cal
                .reschedule_by_booker(&old.uid, at, None)
                .await
                .unwrap();
            vec![old.uid, new.uid]
        })
    };
    same_in_every_order(story, 2).await;
}

#[tokio::test]
async fn a_booking_moved_twice_and_cancelled() {
    let story: Story = |it| {
        Box::pin(async {
            let first = it.book(72).await;
            let at = |hours: i64| plus_ms(noon(), hours * 3_600_000);
            let second = it
                .cal
                .reschedule_by_booker(&first.uid, at(96), None)
                .await
                .unwrap();
            let third = it
                .cal
                .reschedule_by_host(&second.uid, at(100), None)
                .await
                .unwrap();
            it.clock.advance_ms(60 * 3_600_000);
            it.cal.cancel_by_booker(&third.uid, None).await.unwrap();
            vec![first.uid, second.uid, third.uid]
        })
    };
    same_in_every_order(story, 4).await;
}

#[tokio::test]
async fn a_booking_that_stood_at_once_was_moved_and_cancelled_late() {
    let story: Story = |it| {
        Box::pin(async {
            let old = it.cal.book(it.request("chat", 72)).await.unwrap();
            let at = plus_ms(noon(), 50 * 3_600_000);
            let new = it
                .cal
                .reschedule_by_booker(&old.uid, at, None)
                .await
                .unwrap();
            it.clock.advance_ms(20 * 3_600_000);
            it.cal.cancel_by_booker(&new.uid, None).await.unwrap();
            vec![old.uid, new.uid]
        })
    };
    same_in_every_order(story, 3).await;
}

#[tokio::test]
async fn a_booking_confirmed_by_the_host_moved_and_cancelled_by_the_host() {
    let story: Story = |it| {
        Box::pin(async {
            let old = it.book(72).await;
            it.cal.confirm_by_host(&old.uid).await.unwrap();
            let at = plus_ms(noon(), 96 * 3_600_000);
            let new = it
                .cal
                .reschedule_by_booker(&old.uid, at, None)
                .await
                .unwrap();
            it.cal.cancel_by_host(&new.uid, Some("ill")).await.unwrap();
            vec![old.uid, new.uid]
        })
    };
    same_in_every_order(story, 4).await;
}
