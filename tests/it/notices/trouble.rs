//! Receivers that fail, hang, move or go away, and a daemon that stops.

use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::{Answer, Receiver};
use super::{only, told_by};
use crate::harness::{Installation, READ_TOKEN, Setup, answer, run_test, run_test_on_server};
use crate::instances::second::{Second, settle_both};

/// Longer than the first wait may be.
const FIRST_WAIT_MS: i64 = 6_000;

async fn waiting(it: &Installation) -> Vec<Value> {
    let (status, listed) = it.get("/v1/notices").await;
    assert_eq!(status, 200, "{listed}");
    listed["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_under_the_same_id() {
    let receiver = Receiver::start().await;
    let elsewhere = Receiver::start().await;
    let setup = told_by(&receiver, "timeout_ms = 2000");
    run_test(setup, async |it: &mut Installation| {
        receiver.take();
        let moved = Answer::Redirect(elsewhere.url());
        receiver.answer([Answer::Status(500), Answer::Never, moved]);
        it.book(72).await;
        it.settle().await;
        assert_eq!(receiver.came().len(), 1);
        let left = waiting(it).await;
        assert_eq!(
            (&left[0]["tries"], &left[0]["detail"]),
            (&json!(1), &json!("HTTP 500"))
        );
        assert_eq!(left[0]["state"], "waiting");
        it.pass_ms(4_900).await;
        assert_eq!(receiver.came().len(), 1, "not yet");
        for (count, wait_ms, detail) in [
            (2, 1_100, "no answer: timed out"),
            (3, 36_000, "HTTP 307: a redirect, which is not followed"),
        ] {
            it.pass_ms(wait_ms).await;
            assert_eq!(receiver.came().len(), count);
            assert_eq!(waiting(it).await[0]["detail"], detail);
        }
        it.pass_ms(144_000).await;
        let came = receiver.take();
        assert_eq!(came.len(), 4);
        assert!(
            came.iter()
                .all(|one| one.id == came[0].id && one.body == came[0].body)
        );
        let times: Vec<_> = came.iter().map(|one| one.sent_at).collect();
        assert!(times.is_sorted_by(|one, other| one < other), "{times:?}");
        assert_eq!(waiting(it).await, [] as [Value; 0]);
        assert_eq!(elsewhere.came().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let receiver = Receiver::start().await;
    run_test(told_by(&receiver, ""), async |it: &mut Installation| {
        receiver.take();
        receiver.answer([Answer::Later(429, 600)]);
        it.book(72).await;
        it.settle().await;
        it.book(73).await;
        it.settle().await;
        it.pass_ms(598_000).await;
        let early = receiver.came().len();
        // The second notice was written after the receiver had asked, and may have been sent.
        assert!(early <= 2, "{early}");
        it.pass_ms(3_000).await;
        assert_eq!(receiver.take().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn what_nobody_takes_is_given_up_and_forgotten_later() {
    let receiver = Receiver::start().await;
    run_test(told_by(&receiver, ""), async |it: &mut Installation| {
        receiver.take();
        receiver.answer(std::iter::repeat_n(Answer::Status(500), 11));
        it.book(300).await;
        it.settle().await;
        for _ in 0..10 {
            it.pass_ms(20 * 3_600_000).await;
        }
        assert_eq!(receiver.came().len(), 11);
        let left = waiting(it).await;
        assert_eq!(
            (&left[0]["state"], &left[0]["due_at"]),
            (&json!("given_up"), &Value::Null)
        );
        it.pass_ms(20 * 3_600_000).await;
        assert_eq!(receiver.take().len(), 11);
        let query = async |query: &str| it.get(&format!("/v1/notices{query}")).await;
        assert_eq!(query("?state=waiting").await.1["items"], json!([]));
        assert_eq!(query("?receiver=other").await.1["items"], json!([]));
        assert_eq!(
            query("?state=given_up&receiver=ops").await.1["items"],
            json!(left)
        );
        assert_eq!(query("?state=lost").await.0, 400);
        let reader = it
            .raw_admin(Method::GET, "/v1/notices")
            .bearer_auth(READ_TOKEN);
        assert_eq!(answer(reader).await.0, 200);
        it.pass_ms(30 * 86_400_000).await;
        while !waiting(it).await.is_empty() {
            it.settle().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_the_next_start() {
    let receiver = Receiver::start().await;
    run_test(told_by(&receiver, ""), async |it: &mut Installation| {
        receiver.take();
        receiver.answer([Answer::Status(410)]);
        it.book(72).await;
        it.settle().await;
        it.book(73).await;
        it.pass_ms(86_400_000).await;
        assert_eq!(receiver.take().len(), 1);
        let left = waiting(it).await;
        assert_eq!(left.len(), 2);
        let detail = left[0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("HTTP 410"), "{detail}");
        it.stop().await;
        it.begin().await;
        it.settle().await;
        assert_eq!(receiver.take().len(), 2);
        assert_eq!(waiting(it).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody() {
    let (slow, well) = (Receiver::start().await, Receiver::start().await);
    let mut setup = told_by(&slow, "timeout_ms = 60000");
    setup.more += &well.section("well", "");
    run_test(setup, async |it: &mut Installation| {
        slow.take();
        well.take();
        slow.answer(std::iter::repeat_n(Answer::Never, 20));
        it.top_up("40").await;
        for hours in 72..82 {
            let uid = it.book(hours).await.uid;
            // Nothing is settled while a receiver hangs; the story's patience ends this loop.
            while it.status_at_cal(&uid) != "accepted" {
                it.gate().wake();
                tokio::task::yield_now().await;
            }
        }
        well.wait_for(10).await;
        let hanging = slow.came().len();
        assert!((1..=8).contains(&hanging), "{hanging}");
        it.stop().await;
        slow.answer_all_well();
        it.begin().await;
        it.settle().await;
        let mut told: Vec<_> = slow.take().into_iter().map(|one| one.id).collect();
        told.sort();
        told.dedup();
        // What the store had not heard of when the daemon stopped is told twice.
        let mut others: Vec<_> = well.take().into_iter().map(|one| one.id).collect();
        others.sort();
        others.dedup();
        assert_eq!(told, others, "each was told, under one id");
    })
    .await;
}

#[tokio::test]
async fn a_restart_loses_none() {
    let receiver = Receiver::start().await;
    run_test(told_by(&receiver, ""), async |it: &mut Installation| {
        receiver.take();
        receiver.answer([Answer::Status(503)]);
        it.book(72).await;
        it.settle().await;
        let first = only(&receiver);
        it.stop().await;
        it.begin().await;
        it.settle().await;
        assert_eq!(receiver.came().len(), 0, "its wait is kept");
        it.pass_ms(FIRST_WAIT_MS).await;
        assert_eq!(only(&receiver).id, first.id);
    })
    .await;
}

#[tokio::test]
async fn several_daemons_tell_each_notice_once() {
    let receiver = Receiver::start().await;
    let setup = Setup {
        worker: "concurrency = 4",
        ..told_by(&receiver, "")
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        receiver.take();
        let second = Second::start(it).await;
        for hours in 72..92 {
            it.book(hours).await;
        }
        settle_both(it, &second).await;
        assert_eq!(receiver.came().len(), 20);
        let mut ids: Vec<_> = receiver.take().into_iter().map(|one| one.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 20);
        second.stopped().await;
    })
    .await;
}
