//! Senders that hang up, a store that is busy, and files that belong to somebody else.

use std::sync::Arc;

use bookgate::app::App;
use bookgate::domain::clock::{Clock, ManualClock};
use reqwest::Method;
use sqlx::sqlite::SqliteConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PING, SIGNATURE, connect, head, post_signed, sign, stored};
use crate::harness::{Installation, SECRET, Setup, answer, run_test_on_file};

async fn a_hang_up(server: &'static str) {
    let setup = Setup {
        server,
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let address = it.public().strip_prefix("http://").unwrap();
        let mut sent = Vec::new();
        for number in 0..20 {
            let body = format!(r#"{{"triggerEvent":"PING","number":{number}}}"#).into_bytes();
            let length = format!("content-length: {}", body.len());
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream
                .write_all(&[head(&body, &length), body.clone()].concat())
                .await
                .unwrap();
            drop(stream);
            sent.push(body);
        }
        // Nobody is told when the last of them is stored; the story's patience ends this loop.
        while stored(it).await.len() < sent.len() {
            tokio::task::yield_now().await;
        }
        let mut kept: Vec<_> = stored(it).await.into_iter().map(|one| one.body).collect();
        kept.sort();
        sent.sort();
        assert_eq!(kept, sent);
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_hangs_up_has_its_webhook_stored_all_the_same() {
    a_hang_up("").await;
    a_hang_up(r#"acknowledge = "database""#).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let length = format!("content-length: {}", PING.len() + 1);
        let address = it.public().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(&[head(PING, &length), PING.to_vec()].concat())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
        assert_eq!(stored(it).await, []);
    })
    .await;
}

/// The store is busy for as long as the test wants: somebody else holds its write lock.
async fn occupied(it: &Installation) -> SqliteConnection {
    let mut other = connect(it, false).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    other
}

#[tokio::test]
async fn the_journal_takes_over_while_the_store_cannot_be_written() {
    let setup = Setup {
        server: "acknowledge = \"database\"",
        storage: "busy_timeout_ms = 100",
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let mut other = occupied(it).await;
        assert_eq!(post_signed(it, PING).await, 200);
        let (ready, _) = answer(it.raw_public(Method::GET, "/readyz")).await;
        assert_eq!(ready, 200);
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        let stored = stored(it).await;
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].body, PING);
    })
    .await;
}

#[tokio::test]
async fn where_the_journal_may_not_take_over_the_sender_is_told_to_come_back() {
    let setup = Setup {
        server: "acknowledge = \"database\"\nwhen_store_is_down = \"refuse\"",
        storage: "busy_timeout_ms = 100",
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let mut other = occupied(it).await;
        let request = it
            .raw_public(Method::POST, "/webhooks/calcom")
            .header(SIGNATURE, sign(SECRET, PING))
            .body(PING);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(stored(it).await, []);
        assert_eq!(post_signed(it, PING).await, 200);
        assert_eq!(stored(it).await.len(), 1);
    })
    .await;
}

fn clock(it: &Installation) -> Arc<dyn Clock> {
    Arc::<ManualClock>::clone(&it.clock)
}

async fn refused_to_open(it: &Installation) -> String {
    match App::open(it.settings(), clock(it)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn a_second_daemon_on_the_same_file_is_refused() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let said = refused_to_open(it).await;
        assert!(
            said.contains("bookgate.db") && said.contains("in use by another bookgate"),
            "{said}"
        );
        assert_eq!(post_signed(it, PING).await, 200);
        assert_eq!(stored(it).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_store_made_by_a_later_version_is_refused_and_left_alone() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.stop().await;
        let mut file = connect(it, false).await;
        let later =
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'from the future', TRUE, x'00', 0)";
        sqlx::raw_sql(later).execute(&mut file).await.unwrap();
        let said = refused_to_open(it).await;
        assert!(
            said.contains("bookgate.db") && said.contains("schema 9999"),
            "{said}"
        );
        let back = "DELETE FROM _sqlx_migrations WHERE version = 9999";
        sqlx::raw_sql(back).execute(&mut file).await.unwrap();
        it.begin().await;
        it.assert_balance("5", "0").await;
    })
    .await;
}
