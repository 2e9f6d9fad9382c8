//! Who tries tokens out is slowed down, and nobody else.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};

use super::{ADA, ask, refused};
use crate::harness::{ADMIN_TOKEN, Installation, READ_TOKEN, Setup, run_test, run_test_on_file};

const QUARTER_OF_AN_HOUR_MS: i64 = 15 * 60_000;

fn with(it: &Installation, token: &str) -> RequestBuilder {
    it.raw_admin(Method::GET, "/v1/bookings").bearer_auth(token)
}

async fn counted(it: &Installation) -> String {
    let metrics = it.raw_admin(Method::GET, "/metrics");
    let metrics = metrics.bearer_auth(READ_TOKEN).send().await.unwrap();
    let text = metrics.text().await.unwrap();
    let start = "bookgate_log_ins_failed_total{result=";
    let lines = text.lines().filter_map(|line| line.strip_prefix(start));
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    lines.join("; ")
}

#[tokio::test]
async fn after_too_many_wrong_tokens_none_is_looked_at_for_a_while() {
    let setup = Setup {
        admin: "failed_log_ins_max = 3",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        for guess in ["one", "two", "three"] {
            refused(with(it, guess), 401).await;
        }
        it.clock.advance_ms(60_000);
        let answer = with(it, "four").send().await.unwrap();
        assert_eq!(answer.status(), 429);
        let retry_after = answer.headers()["retry-after"].to_str().unwrap();
        assert_eq!(retry_after, "841", "a quarter of an hour, less a minute");
        let said = refused(with(it, "five"), 429).await;
        assert!(said.contains("841 s"), "{said}");
        // Who has a right one does not notice; who has none is asked for one.
        assert_eq!(ask(with(it, ADMIN_TOKEN)).await.status, 200);
        assert_eq!(ask(with(it, READ_TOKEN)).await.status, 200);
        refused(it.raw_admin(Method::GET, ADA), 401).await;
        refused(with(it, "six"), 429).await;
        assert_eq!(counted(it).await, "\"delayed\"} 3; \"refused\"} 3");

        it.clock.advance_ms(QUARTER_OF_AN_HOUR_MS);
        refused(with(it, "seven"), 401).await;
    })
    .await;
}

#[tokio::test]
async fn each_wrong_token_is_answered_later_and_a_right_one_at_once() {
    let setup = Setup {
        admin: "failed_log_ins_max = 1000000",
        server: "request_timeout_ms = 1000",
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let began = Instant::now();
        // 1, 2, 4, … 256 ms
        for _ in 0..9 {
            refused(with(it, "wrong"), 401).await;
        }
        assert!(began.elapsed() >= Duration::from_millis(511));
        let waiting: Vec<_> = (0..80)
            .map(|_| tokio::spawn(with(it, "no").send()))
            .collect();
        // While others wait, and as many as may: the answer has half of the request's time to come.
        assert_eq!(ask(with(it, ADMIN_TOKEN)).await.status, 200);
        let (mut late, mut refused) = (0, 0);
        for answer in waiting {
            match answer.await.unwrap().unwrap().status().as_u16() {
                401 => late += 1,
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
        assert!(late >= 1 && late + refused == 80, "{late} {refused}");
        assert!(began.elapsed() >= Duration::from_millis(1_011));
    })
    .await;
}
