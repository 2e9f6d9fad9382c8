use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::provider::scripted_server::{ScriptedServer, Step};

const KEY: &str = "cal_very_secret";

async fn call(url: &Url, effect: Effect, timeout_ms: u64) -> Result<HttpAnswer, CallError> {
    let client = HttpClient::new(url, 1_000).unwrap();
    let mut url = url.clone();
    url.set_query(Some(&format!("apiKey={KEY}")));
    let request = client.request(Method::POST, url);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    client.send(request, effect, deadline).await
}

fn told(outcome: Result<HttpAnswer, CallError>) -> String {
    let shown = match outcome {
        Ok(answer) => format!(
            "{} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        ),
        Err(CallError::Limited { wait_ms }) => format!("limited {wait_ms} ms"),
        Err(error @ CallError::Away { .. }) => error.to_string(),
        Err(CallError::Transient { detail, .. }) => format!("transient: {detail}"),
        Err(CallError::Rejected { detail, .. }) => format!("rejected: {detail}"),
        Err(CallError::NotFound { http_status }) => format!("not found {http_status}"),
        Err(CallError::Unknown { detail, .. }) => format!("unknown: {detail}"),
    };
    assert!(!shown.contains(KEY), "{shown}");
    shown
}

/// What a change and then a read make of the same answer; once, if they make the same.
async fn check<const N: usize>(timeout_ms: u64, steps: [fn() -> Step; N], expected: Expect) {
    let mut lines = Vec::new();
    for step in steps {
        let server = ScriptedServer::start([step(), step()]).await;
        let change = told(call(&server.url, Effect::Change, timeout_ms).await);
        let read = told(call(&server.url, Effect::Read, timeout_ms).await);
        let same = change == read;
        lines.push(if same {
            change
        } else {
            format!("{change} | {read}")
        });
    }
    expected.assert_eq(&lines.join("\n"));
}

fn error(status: u16) -> Step {
    let error = json!({"code": "SomeException", "message": "for zoe@example.org"});
    Step::json(status, &json!({ "error": error }))
}

#[tokio::test]
async fn success_is_json_or_an_empty_204() {
    let steps = [
        || Step::json(200, &json!({"status": "success"})),
        || Step::with(204, &[], ""),
    ];
    check(
        5_000,
        steps,
        expect![[r#"
        200 {"status":"success"}
        204 "#]],
    )
    .await;
}

#[tokio::test]
async fn a_refusal_is_for_good_or_says_not_found() {
    let steps = [
        || error(400),
        || error(401),
        || error(403),
        || error(405),
        || error(409),
        || error(422),
        || error(404),
        || error(410),
        || error(408),
        || Step::broken(400),
    ];
    check(
        5_000,
        steps,
        expect![[r#"
        rejected: HTTP 400 (SomeException: for …)
        rejected: HTTP 401 (SomeException: for …)
        rejected: HTTP 403 (SomeException: for …)
        rejected: HTTP 405 (SomeException: for …)
        rejected: HTTP 409 (SomeException: for …)
        rejected: HTTP 422 (SomeException: for …)
        not found 404
        not found 410
        transient: HTTP 408 (SomeException: for …)
        rejected: HTTP 400"#]],
    )
    .await;
}

#[tokio::test]
async fn a_server_error_leaves_a_change_open() {
    let steps = [|| error(500), || error(502), || error(503), || error(504)];
    check(
        5_000,
        steps,
        expect![[r#"
        unknown: HTTP 500 (SomeException: for …) | transient: HTTP 500 (SomeException: for …)
        unknown: HTTP 502 (SomeException: for …) | transient: HTTP 502 (SomeException: for …)
        unknown: HTTP 503 (SomeException: for …) | transient: HTTP 503 (SomeException: for …)
        unknown: HTTP 504 (SomeException: for …) | transient: HTTP 504 (SomeException: for …)"#]],
    )
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let step = || Step::with(308, &["location: http://127.0.0.1:1/elsewhere"], "");
    check(5_000, [step], expect!["rejected: HTTP 308: a redirect, which is not followed; set the base URL to the final address"]).await;
}

#[tokio::test]
async fn a_limit_tells_how_long_to_wait() {
    let steps = [
        || Step::with(429, &["retry-after: 30"], ""),
        || Step::with(429, &[], "{}"),
    ];
    check(
        5_000,
        steps,
        expect![[r#"
        limited 30000 ms
        limited 10000 ms"#]],
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_a_change_open() {
    let steps = [
        || Step::with(200, &[], "<html>please log in</html>"),
        || Step::with(200, &[], ""),
        || Step::broken(200),
        || Step::Bytes(Vec::new()),
        || Step::with(200, &[], &format!("\"{}\"", "x".repeat(ANSWER_BYTES_MAX))),
    ];
    check(5_000, steps, expect![[r#"
        unknown: HTTP 200 with a body that is not JSON | transient: HTTP 200 with a body that is not JSON
        unknown: HTTP 200 with a body that is not JSON | transient: HTTP 200 with a body that is not JSON
        unknown: HTTP 200 with a body that broke off | transient: HTTP 200 with a body that broke off
        unknown: no answer: connection closed | transient: no answer: connection closed
        unknown: HTTP 200 with a body that is too long | transient: HTTP 200 with a body that is too long"#]]).await;
}

#[tokio::test]
async fn a_stalled_answer_ends_at_the_deadline() {
    check(
        100,
        [|| Step::Stall],
        expect!["unknown: no answer: timed out | transient: no answer: timed out"],
    )
    .await;
}

#[tokio::test]
async fn what_was_never_sent_may_be_sent_again() {
    // A port that was free a moment ago: nothing listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = Url::parse(&format!("http://{address}/")).unwrap();
    let refused = told(call(&url, Effect::Change, 5_000).await);
    let late = told(call(&url, Effect::Change, 0).await);
    expect![[r#"
        transient: no connection: connection refused
        transient: not sent: the time for this call was over"#]]
    .assert_eq(&format!("{refused}\n{late}"));
}

#[tokio::test]
async fn says_who_it_is() {
    let server = ScriptedServer::start([Step::json(200, &json!({}))]).await;
    call(&server.url, Effect::Read, 5_000).await.unwrap();
    let agent = &server.seen()[0].headers["user-agent"];
    assert_eq!(agent, &format!("bookgate/{}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_secret_is_not_shown() {}

#[tokio::test]
async fn an_exchange_hands_back_any_answer() {
    let replayed = &["Idempotent-Replayed: true"];
    let steps = [
        Step::with(201, replayed, "{}"),
        Step::with(503, &["Retry-After: 7"], "not JSON"),
    ];
    let server = ScriptedServer::start(steps).await;
    let client = HttpClient::new(&server.url, 1_000).unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let request = client.request(Method::POST, server.url.clone());
        let answer = client.exchange(request, Duration::from_secs(5)).await;
        let RawAnswer {
            status,
            wait_ms,
            replayed,
            body,
            date: _,
        } = answer.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        told.push((status, wait_ms, replayed, body));
    }
    assert_eq!(told[0], (201, None, true, "{}".to_owned()));
    assert_eq!(told[1], (503, Some(7_000), false, "not JSON".to_owned()));
}
