//! An account's entries, page by page.

use serde_json::Value;

use super::{ADA, ask, get, refused};
use crate::harness::{Installation, Setup, run_test};

async fn page(it: &Installation, query: &str) -> (Vec<Value>, Option<String>) {
    let answered = ask(get(it, &format!("{ADA}/entries{query}"))).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    let items = answered.body["items"].as_array().unwrap().clone();
    (items, answered.body["next"].as_str().map(str::to_owned))
}

fn amounts(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["amount"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn entries_come_newest_first_and_pages_do_not_shift() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for amount in ["1", "2", "3", "4", "5"] {
            it.top_up(amount).await;
        }
        let (first, next) = page(it, "?limit=2").await;
        assert_eq!(amounts(&first), ["5", "4"]);
        assert_eq!(
            (&first[0]["posted_after"], &first[0]["kind"]),
            (&"15".into(), &"topup".into())
        );
        assert_eq!(first[0]["actor"], "token:ops");
        it.top_up("6").await;
        let (second, next) = page(it, &format!("?limit=2&after={}", next.unwrap())).await;
        assert_eq!(amounts(&second), ["3", "2"]);
        let (last, next) = page(it, &format!("?limit=2&after={}", next.unwrap())).await;
        assert_eq!((amounts(&last), next), (vec!["1"], None));
        let (all, next) = page(it, "").await;
        assert_eq!(
            (amounts(&all), next),
            (vec!["6", "5", "4", "3", "2", "1"], None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_paid_booking_can_be_followed_in_the_entries() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        let (items, _) = page(it, "").await;
        let kinds: Vec<_> = items
            .iter()
            .map(|item| item["kind"].as_str().unwrap())
            .collect();
        assert!(
            kinds.contains(&"hold") && kinds.contains(&"capture"),
            "{kinds:?}"
        );
        for item in items.iter().filter(|item| item["kind"] != "topup") {
            assert_eq!(item["booking"], booking.uid.as_str(), "{item}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_that_are_none_are_refused() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        for query in [
            "after=x",
            "after=1",
            "after=1.x",
            "after=",
            "limit=-1",
            "limit=many",
            "page=2",
        ] {
            refused(get(it, &format!("{ADA}/entries?{query}")), 400).await;
        }
        refused(get(it, "/v1/accounts/nobody@reader.example/entries"), 404).await;
    })
    .await;
}
