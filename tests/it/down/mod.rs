//! A store that is away, hangs or is full, at the start or later: webhooks are taken all the while, and
//! everything is decided once it is back. And one that lets nobody in, which is said.

mod full_disk;
mod refused;
mod tls;

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{self, ADMIN_TOKEN, Installation, Setup, answer, run_test_as_set_up};
use crate::rig::postgres::Stop;
use crate::rig::store::{Kind, Store};

/// A PostgreSQL of the story's own, and an installation on it. `None` where there is none.
pub(crate) fn own_server() -> Option<(Store, Setup)> {
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

/// While the store is away the admin endpoint says so, and takes nothing.
async fn admins_are_told(it: &Installation) {
    let (status, problem) = it.get("/v1/bookings").await;
    assert_eq!(status, 503, "{problem}");
    assert_eq!(problem["code"], "store-unavailable", "{problem}");
    let top_up = it
        .raw_admin(Method::POST, "/v1/accounts/ada@reader.example/top-ups")
        .bearer_auth(ADMIN_TOKEN)
        .header("idempotency-key", "while it is away")
        .json(&json!({"amount": "100", "unit": "CREDIT", "reason": "test"}));
    let (status, problem) = answer(top_up).await;
    assert_eq!(status, 503, "{problem}");
}

/// Two bookings are made, and their webhooks taken while the store is away.
async fn webhooks_are_taken(it: &mut Installation) {
    assert_eq!(readiness(it).await, degraded());
    it.book(72).await;
    it.book(96).await;
    assert_eq!(deliver_held(it).await, 2);
    admins_are_told(it).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_starts_without_its_database_and_decides_when_it_is_there() {
    let Some((store, setup)) = own_server() else {
        return;
    };
    run_test_as_set_up(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        it.stop().await;
        store.postgres(|cluster, _| cluster.stop(Stop::Fast));
        it.begin().await;
        webhooks_are_taken(it).await;
        // Again, with something in the journal.
        it.stop().await;
        it.begin().await;
        assert_eq!(readiness(it).await, degraded());
        store.postgres(|cluster, _| cluster.resume());
        all_is_made_up_for(it).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_that_comes_later_is_given_its_tables() {
    let Some((store, setup)) = own_server() else {
        return;
    };
    store.postgres(|cluster, _| cluster.stop(Stop::Immediate));
    run_test_as_set_up(setup, async |it: &mut Installation| {
        assert_eq!(readiness(it).await, degraded());
        it.hold_webhooks();
        it.book(72).await;
        it.book(96).await;
        assert_eq!(deliver_held(it).await, 2);
        store.postgres(|cluster, _| cluster.resume());
        it.settle().await;
        it.deliver_all().await;
        assert_eq!(it.cal.live().len(), 0, "there is no credit yet");
        assert_eq!(readiness(it).await, (200, Value::from("ok")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_stops_and_starts_while_its_database_hangs() {
    let Some((store, setup)) = own_server() else {
        return;
    };
    let setup = Setup {
        storage: "busy_timeout_ms = 500\nstatement_timeout_ms = 2000",
        ..setup
    };
    run_test_as_set_up(setup, async |it: &mut Installation| {
        it.settle().await; // so short a patience, it may have begun without
        it.top_up("5").await;
        it.hold_webhooks();
        store.postgres(|cluster, _| cluster.freeze());
        it.stop().await;
        it.begin().await;
        webhooks_are_taken(it).await;
        store.postgres(|cluster, _| cluster.thaw());
        all_is_made_up_for(it).await;
    })
    .await;
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
        let taken_over = async || it.counted("webhooks_taken_over_total", "calcom").await;
        let late = ("late".to_owned(), 1);
        assert_eq!(taken_over().await, [late.clone()].into());
        assert_eq!(readiness(it).await, degraded());
        it.book(96).await;
        let webhook = &it.cal.take_outbox()[0];
        for _ in 0..10 {
            it.deliver(webhook).await;
        }
        let down = ("down".to_owned(), 10);
        assert_eq!(taken_over().await, [late, down].into());
        assert_eq!(readiness(it).await, degraded());
        store.postgres(|cluster, _| cluster.thaw());
        all_is_made_up_for(it).await;
    })
    .await;
}
