//! Bookings and dead letters as an admin sees them.

use std::collections::BTreeSet;

use bookgate::standin::calcom::{Fault, Matcher, Operation, Person, When};

use super::{ask, get, post, refused};
use crate::harness::{Installation, Setup, run_test};

async fn uids(it: &Installation, query: &str) -> (Vec<String>, Option<String>) {
    let answered = ask(get(it, &format!("/v1/bookings{query}"))).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    let items = answered.body["items"].as_array().unwrap();
    let uid = |item: &serde_json::Value| item["uid"].as_str().unwrap().to_owned();
    let next = answered.body["next"].as_str().map(str::to_owned);
    (items.iter().map(uid).collect(), next)
}

#[tokio::test]
async fn bookings_are_listed_by_what_one_asks_for() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        let paid = it.book(72).await;
        it.settle().await;
        it.pass_ms(60_000).await;
        let unpaid = it.book(96).await;
        it.settle().await;
        it.pass_ms(60_000).await;
        let mut request = it.request("chat", 120);
        request.booker = Person::new("Bo", "bo@reader.example");
        let of_bo = it.cal.book(request).await.unwrap();
        it.settle().await;
        it.pass_ms(60_000).await;
        let all = [&paid, &unpaid, &of_bo].map(|one| one.uid.to_string());
        for (query, expected) in [
            ("", &all[..]),
            ("?source=calcom", &all[..]),
            ("?source=other", &[]),
            ("?outcome=accept", &all[..1]),
            ("?outcome=reject", &all[1..]),
            ("?outcome=defer", &[]),
            ("?status=accepted", &all[..1]),
            ("?status=rejected", &all[1..2]),
            ("?status=cancelled", &all[2..]),
            ("?booker=BO@reader.example", &all[2..]),
            ("?booker=ada@reader.example&outcome=reject", &all[1..2]),
        ] {
            let (found, next) = uids(it, query).await;
            let set = |uids: &[String]| uids.iter().cloned().collect::<BTreeSet<_>>();
            assert_eq!((set(&found), next), (set(expected), None), "{query}");
        }
        let (first, next) = uids(it, "?limit=2").await;
        let (rest, end) = uids(it, &format!("?limit=2&after={}", next.unwrap())).await;
        assert_eq!((first.len(), rest.len(), end), (2, 1, None));
        assert_eq!(
            first.into_iter().chain(rest).collect::<BTreeSet<_>>(),
            all.into()
        );
        for query in [
            "after=zz",
            "after=00",
            "limit=x",
            "outcome=maybe",
            "status=gone",
            "booker=ada",
            "colour=red",
        ] {
            let said = refused(get(it, &format!("/v1/bookings?{query}")), 400).await;
            let key = query.split('=').next().unwrap();
            assert!(said.contains(key), "{query}: {said}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_booking_is_found_by_uid_and_by_number_and_tells_all() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.settle().await;
        let by_uid = it.booking(&booking.uid).await;
        let by_number = ask(get(it, &format!("/v1/bookings/calcom/{}", booking.number))).await;
        assert_eq!(by_number.body, by_uid);
        assert_eq!(by_uid["booking_id"], booking.number);
        assert_eq!(by_uid["booker"], "ada@reader.example");
        let decision = &by_uid["decisions"][0];
        assert_eq!(
            (&decision["policy"], &decision["cost"]),
            (&"credits".into(), &"2".into())
        );
        assert!(
            decision["policy_hash"]
                .as_str()
                .is_some_and(|hash| hash.len() >= 16),
            "{decision}"
        );
        let (trace, facts) = (decision["trace"].to_string(), decision["facts"].to_string());
        assert!(trace.contains("has-credit"), "{trace}");
        assert!(facts.contains("consultation"), "{facts}");
        let call = &by_uid["calls"][0];
        assert_eq!(
            (&call["action"], &call["state"]),
            (&"confirm".into(), &"done".into())
        );
        assert_eq!(
            (
                &call["attempts"][0]["number"],
                &call["attempts"][0]["http_status"]
            ),
            (&1.into(), &200.into())
        );
        let triggers: Vec<_> = by_uid["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["trigger"].clone())
            .collect();
        assert_eq!(triggers.len(), 2, "asked and confirmed: {triggers:?}");
        assert_eq!(by_uid["holds"][0]["captured"], "2");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_booking_is_not_found() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let booking = it.book(72).await;
        it.settle().await;
        let elsewhere = format!("other/{}", booking.uid);
        for reference in [
            "calcom/nothing",
            "calcom/99999999999999999999",
            "calcom/-1",
            &elsewhere,
        ] {
            let said = refused(get(it, &format!("/v1/bookings/{reference}")), 404).await;
            assert!(said.contains(reference), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_can_be_tried_again() {
    let setup = Setup {
        worker: "retry_schedule_ms = [1000]",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        // Whether a call that is answered so was carried out, only a reading tells.
        for _ in 0..2 {
            let confirm = Matcher::operation(Operation::Confirm);
            it.cal
                .fail_next(confirm, When::BeforeWork, Fault::Status(503));
        }
        let booking = it.book(72).await;
        it.settle().await;
        for _ in 0..5 {
            it.pass_ms(60_000).await;
        }
        let confirms = it.cal.calls().into_iter();
        let confirms = confirms.filter(|call| call.operation == Operation::Confirm);
        assert_eq!(confirms.count(), 2, "one wait in the schedule is two calls");
        let listed = ask(get(it, "/v1/dead-letters")).await.body;
        let [letter] = &listed["items"].as_array().unwrap()[..] else {
            panic!("not one dead letter: {listed}");
        };
        assert_eq!(
            (&letter["booking"], &letter["action"]),
            (&booking.uid.as_str().into(), &"confirm".into())
        );
        assert_eq!(letter["tries"], 2);
        assert!(letter["note"].is_string(), "{letter}");
        it.assert_balance("5", "2").await;
        let retry = format!("/v1/dead-letters/{}/retry", letter["id"]);
        assert_eq!(ask(post(it, &retry)).await.status, 202);
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        it.assert_balance("3", "0").await;
        refused(post(it, &retry), 404).await;
    })
    .await;
}

#[tokio::test]
async fn dead_letters_that_are_none_are_not_found() {
    run_test(Setup::default(), async |it: &mut Installation| {
        assert_eq!(
            ask(get(it, "/v1/dead-letters")).await.body["items"],
            serde_json::json!([])
        );
        let said = refused(post(it, "/v1/dead-letters/17/retry"), 404).await;
        assert!(said.contains("17"), "{said}");
        refused(post(it, "/v1/dead-letters/first/retry"), 400).await;
        refused(get(it, "/v1/dead-letters?after=x"), 400).await;
        refused(get(it, "/v1/dead-letters?limit=x"), 400).await;
    })
    .await;
}
