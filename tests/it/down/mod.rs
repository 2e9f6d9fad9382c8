//! A PostgreSQL that hangs: webhooks are taken all the while, and everything is decided once it goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::harness::{self, Installation, Setup, answer, run_test_as_set_up};
use crate::rig::store::{Kind, Store};

/// How long a webhook waits for the store before the journal takes over.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// A PostgreSQL of the story's own, and an installation on it. `None` where there is none.
fn own_server() -> Option<(Store, Setup)> {
    let store = Store::new(Kind::Postgres, Path::new(""))?;
    let setup = Setup {
        store: harness::Store::At(store.url().leak()),
        ..Setup::default()
    };
    Some((store, setup))
}

async fn readiness(it: &Installation) -> (u16, Value) {
    answer(it.raw_public(Method::GET, "/readyz")).await
}

fn degraded() -> (u16, Value) {
    (200, Value::from("degraded"))
}

/// Delivers everything that the stand-in holds; each is answered 200, or this fails.
async fn deliver_held(it: &Installation) -> usize {
    let held = it.cal.take_outbox();
    for webhook in &held {
        it.deliver(webhook).await;
    }
    held.len()
}

/// Everything that came in is decided once, and paid for.
async fn all_is_made_up_for(it: &Installation) {
    it.settle().await;
    it.deliver_all().await;
    for booking in it.cal.live() {
        let uid = &booking.uid;
        assert_eq!(it.status_at_cal(uid), "accepted");
        assert_eq!(it.cal.effective_calls(uid).len(), 1);
        let seen = it.booking(uid).await;
        assert_eq!(seen["decisions"].as_array().unwrap().len(), 1, "{seen}");
    }
    it.assert_balance("1", "0").await;
    assert_eq!(readiness(it).await, (200, Value::from("ok")));
}

/// One webhook waits in vain; then nobody does, until the database has answered again.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_database_that_hangs_one_webhook_alone_finds_out() {
    let Some((store, setup)) = own_server() else {
        return;
    };
    run_test_as_set_up(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        store.postgres(|cluster, _| cluster.freeze());
        it.book(72).await;
        assert_eq!(deliver_held(it).await, 1);
        assert_eq!(readiness(it).await, degraded());
        it.book(96).await;
        let webhook = &it.cal.take_outbox()[0];
        let began = Instant::now();
        for _ in 0..10 {
            it.deliver(webhook).await;
        }
        let took = began.elapsed();
        assert!(took < PATIENCE, "one of ten has waited: {took:?}");
        assert_eq!(readiness(it).await, degraded());
        store.postgres(|cluster, _| cluster.thaw());
        all_is_made_up_for(it).await;
    })
    .await;
}
