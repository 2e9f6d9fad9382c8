//! Stored webhooks: listed, shown, and read again.

use bookgate::app::storage_settings;
use bookgate::domain::chain::FactBody;
use bookgate::domain::ids::{DeliveryId, SourceName};
use bookgate::storage::records::{DeliveryState, Filing, NewDelivery};
use bookgate::storage::{Storage, StorageError};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, get, post, refused};
use crate::harness::{Installation, READ_TOKEN, Setup, noon, run_test};

const DAY_MS: i64 = 24 * 3_600_000;

async fn deliveries(it: &Installation, query: &str) -> Vec<Value> {
    let answered = ask(get(it, &format!("/v1/deliveries{query}"))).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body["items"].as_array().unwrap().clone()
}

async fn replay(it: &Installation, body: &Value) -> Value {
    let answered = ask(post(it, "/v1/deliveries/replays").json(body)).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    it.settle().await;
    answered.body
}

fn count(report: &Value, key: &str) -> usize {
    report[key].as_array().unwrap().len()
}

/// Stores a webhook as a version did that understood less, and has told `fact` of it.
async fn of_an_earlier_version(it: &mut Installation, body: Vec<u8>, fact: Option<FactBody>) {
    it.stop().await;
    let storage = Storage::open(&storage_settings(it.settings())).await;
    let storage = storage.unwrap();
    let delivery = NewDelivery {
        source: SourceName::new("calcom"),
        digest: [7; 16],
        received_at: noon(),
        content_type: Some("application/json".to_owned()),
        body: body.into(),
    };
    let stored: Result<(), StorageError> = storage
        .write(move |tx| {
            Box::pin(async move {
                tx.arrive(&[delivery]).await?;
                let id = tx.last_unfiled().await?.expect("it has just arrived");
                let (mut chain, mut filing) = (
                    None,
                    Filing {
                        state: DeliveryState::Unparsed,
                        trigger: None,
                        note: Some("too new for me".to_owned()),
                    },
                );
                if let Some(fact) = fact {
                    let names = ["uid:old".to_owned()];
                    let source = SourceName::new("calcom");
                    let told_of = tx.chain_for(&source, &names, noon()).await?;
                    tx.append_fact(told_of, Some(id), &fact, noon(), Some(noon()))
                        .await?;
                    filing = Filing {
                        state: DeliveryState::Event,
                        trigger: Some("gone".to_owned()),
                        note: None,
                    };
                    chain = Some(told_of);
                }
                tx.file_delivery(id, &filing, chain, noon()).await
            })
        })
        .await;
    stored.unwrap();
    storage.close().await;
    it.begin().await;
    it.settle().await;
}

#[tokio::test]
async fn what_was_not_understood_is_decided_once_it_is_read_again() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let uid = it.book(72).await.uid;
        let webhooks = it.cal.take_outbox();
        let body = webhooks[0].body.clone();
        of_an_earlier_version(it, body.clone().into(), None).await;
        let unparsed = deliveries(it, "?state=unparsed").await;
        let [line] = &unparsed[..] else {
            panic!("{unparsed:?}");
        };
        assert_eq!(line["note"], "too new for me");
        let path = format!("/v1/deliveries/{}", line["id"]);
        let seen = ask(get(it, &path)).await.body;
        assert_eq!(seen["body"], String::from_utf8(body.into()).unwrap());
        assert_eq!(it.status_at_cal(&uid), "pending");

        let some = json!({"state": "unparsed", "source": "calcom", "dry_run": true});
        let dry = replay(it, &some).await;
        assert_eq!((&dry["dry_run"], count(&dry, "done")), (&true.into(), 1));
        assert_eq!(deliveries(it, "?state=unparsed").await.len(), 1);
        it.assert_balance("5", "0").await;

        assert_eq!(ask(post(it, &format!("{path}/replay"))).await.status, 202);
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
        let seen = ask(get(it, &path)).await.body;
        assert_eq!(
            (&seen["state"], &seen["note"]),
            (&"event".into(), &Value::Null)
        );
        assert_eq!(seen["replayed_at"], "2027-03-01T12:00:00Z");
        let log = ask(get(it, "/v1/audit?action=delivery.replay")).await.body;
        assert_eq!(log["items"][0]["actor"], "token:ops");
        assert_eq!(
            log["items"][0]["target"],
            format!("calcom, delivery {}", line["id"])
        );
    })
    .await;
}

#[tokio::test]
async fn reading_everything_again_changes_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("9").await;
        let stays = it.book(72).await.uid;
        let goes = it.book(96).await.uid;
        it.settle().await;
        it.cal.cancel_by_booker(&goes, None).await.unwrap();
        let moves = it.book(120).await;
        it.settle().await;
        let later = bookgate::domain::clock::plus_ms(moves.start, DAY_MS);
        let moved = it.cal.reschedule_by_booker(&moves.uid, later, None).await;
        let moved = moved.unwrap().uid;
        it.settle().await;
        let all = [&stays, &goes, &moves.uid, &moved];
        let mut before = Vec::new();
        for uid in all {
            before.push(it.booking(uid).await);
        }
        let (balance, calls) = (it.balance().await, it.cal.calls().len());
        let listed = deliveries(it, "").await;

        // Page by page, as with many.
        let (mut done, mut after) = (0, Value::Null);
        loop {
            let page = replay(it, &json!({"limit": 2, "after": after})).await;
            done += count(&page, "done");
            after = page["next"].clone();
            if after.is_null() {
                break;
            }
        }
        assert_eq!(done, listed.len());
        assert_eq!((it.balance().await, it.cal.calls().len()), (balance, calls));
        for (uid, before) in all.into_iter().zip(&before) {
            let seen = it.booking(uid).await;
            for key in [
                "status",
                "outcome",
                "settled",
                "start",
                "decisions",
                "calls",
                "holds",
            ] {
                assert_eq!(seen[key], before[key], "{key} of {uid}");
            }
        }
        let states = |rows: &[Value]| -> Vec<_> {
            let states = rows.iter().map(|row| row["state"].clone());
            states.collect()
        };
        assert_eq!(states(&deliveries(it, "").await), states(&listed));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_understood_any_more_keeps_what_it_told() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let told = FactBody::Missing {
            uid: bookgate::domain::ids::Uid::new("old"),
        };
        let body = b"{\"from\":\"long ago\"}".to_vec();
        of_an_earlier_version(it, body, Some(told)).await;
        let [line] = &deliveries(it, "?trigger=gone").await[..] else {
            panic!("one was stored");
        };
        replay(it, &json!({"trigger": "gone"})).await;
        let id = line["id"].as_i64().unwrap();
        let seen = ask(get(it, &format!("/v1/deliveries/{id}"))).await.body;
        assert_eq!(
            (&seen["state"], &seen["trigger"]),
            (&"event".into(), &"gone".into())
        );
        let note = seen["note"].as_str().unwrap();
        assert!(
            note.starts_with("read again, what it told before is kept:"),
            "{note}"
        );
        it.stop().await;
        let storage = Storage::open(&storage_settings(it.settings()))
            .await
            .unwrap();
        let kept: Result<_, StorageError> = storage
            .read(move |tx| Box::pin(async move { tx.told_by(DeliveryId(id)).await }))
            .await;
        assert!(kept.unwrap().is_some());
        storage.close().await;
        it.begin().await;
    })
    .await;
}

#[tokio::test]
async fn what_retention_has_emptied_is_left() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.book(72).await;
        it.settle().await;
        it.pass_ms(40 * DAY_MS).await;
        let ran = ask(post(it, "/v1/retention/runs")).await;
        assert_eq!(ran.status, 202);
        it.settle().await;
        let report = replay(it, &json!({"until": "2027-03-02T00:00:00Z"})).await;
        assert_eq!(count(&report, "done"), 0);
        assert!(count(&report, "left") > 0);
        let left = &report["left"][0];
        assert_eq!(left["why"], "retention has removed its body");
        let path = format!("/v1/deliveries/{}", left["id"]);
        refused(post(it, &format!("{path}/replay")), 409).await;
        let seen = ask(get(it, &path)).await.body;
        assert_eq!(
            (&seen["body"], &seen["body_bytes"]),
            (&Value::Null, &Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn orders_that_make_no_sense_read_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for body in [
            json!({"state": "lost"}),
            json!({"since": "yesterday"}),
            json!({"after": "x"}),
            json!({"all": true}),
        ] {
            refused(post(it, "/v1/deliveries/replays").json(&body), 400).await;
        }
        refused(post(it, "/v1/deliveries/7/replay"), 404).await;
        refused(get(it, "/v1/deliveries/7"), 404).await;
        refused(get(it, "/v1/deliveries?state=lost"), 400).await;
        refused(get(it, "/v1/deliveries?after=x"), 400).await;
        for path in ["replays", "7/replay"] {
            let path = format!("/v1/deliveries/{path}");
            let reader = it.raw_admin(Method::POST, &path).bearer_auth(READ_TOKEN);
            refused(reader.json(&json!({})), 403).await;
        }
    })
    .await;
}
