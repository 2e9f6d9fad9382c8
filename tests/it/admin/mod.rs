//! The admin endpoint: who may use it, what it answers, and what it says of requests that make no
//! sense.

mod accounts;
mod audit;
mod bookings;
mod decisions;
mod deliveries;
mod letters;
mod log_ins;
mod metrics;
mod openapi;
mod roles;
mod top_ups;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{ADMIN_TOKEN, Installation, READ_TOKEN, Setup, exchange, run_test};

const ADA: &str = "/v1/accounts/ada@reader.example";
const TOP_UPS: &str = "/v1/accounts/ada@reader.example/top-ups";

/// An answer with what matters of its head.
struct Answered {
    status: u16,
    kind: String,
    replayed: bool,
    challenge: Option<String>,
    body: Value,
}

async fn ask(request: RequestBuilder) -> Answered {
    let (status, headers, text) = exchange(request).await;
    let header = |name: &str| {
        let value = headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let (kind, challenge) = (header("content-type"), header("www-authenticate"));
    let replayed = header("idempotent-replayed");
    Answered {
        status,
        kind: kind.unwrap_or_default(),
        replayed: replayed.is_some_and(|value| value == "true"),
        challenge,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// An error must be one that programs and people can read; gives what it says.
async fn refused(request: RequestBuilder, status: u16) -> String {
    let answered = ask(request).await;
    let body = &answered.body;
    assert_eq!(answered.status, status, "{body}");
    assert_eq!(answered.kind, "application/problem+json", "{body}");
    assert_eq!(body["status"], status, "{body}");
    assert!(
        body["code"].is_string() && body["title"].is_string(),
        "{body}"
    );
    body["detail"].as_str().unwrap().to_owned()
}

fn get(it: &Installation, path: &str) -> RequestBuilder {
    it.raw_admin(Method::GET, path).bearer_auth(ADMIN_TOKEN)
}

fn post(it: &Installation, path: &str) -> RequestBuilder {
    it.raw_admin(Method::POST, path).bearer_auth(ADMIN_TOKEN)
}

fn top_up(it: &Installation, path: &str, key: &str, body: &Value) -> RequestBuilder {
    post(it, path).header("idempotency-key", key).json(body)
}

fn five() -> Value {
    json!({"amount": "5", "unit": "CREDIT", "reason": "spring term"})
}

#[tokio::test]
async fn nothing_is_told_without_a_token() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let paths = [
            ADA,
            "/v1/bookings",
            "/v1/dead-letters",
            "/v1/instances",
            "/v1/ledger/verify",
            "/v1/nowhere",
        ];
        for path in paths {
            for given in [
                None,
                Some("Bearer "),
                Some("Bearer wrong"),
                Some("Basic b3BzOm9wcw=="),
                Some(ADMIN_TOKEN),
            ] {
                let mut request = it.raw_admin(Method::GET, path);
                if let Some(given) = given {
                    request = request.header("authorization", given);
                }
                let answered = ask(request).await;
                assert_eq!(
                    (answered.status, answered.challenge.as_deref()),
                    (401, Some("Bearer")),
                    "{path} {given:?}"
                );
                assert_eq!(answered.kind, "application/problem+json");
                let detail = answered.body["detail"].as_str().unwrap();
                assert!(detail.contains("Authorization: Bearer"), "{detail}");
            }
        }
        let almost = &ADMIN_TOKEN[..ADMIN_TOKEN.len() - 1];
        refused(it.raw_admin(Method::GET, ADA).bearer_auth(almost), 401).await;
    })
    .await;
}

#[tokio::test]
async fn the_scheme_of_the_token_is_spelled_as_one_likes() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let given = format!("{scheme} {READ_TOKEN}");
            let request = it.raw_admin(Method::GET, "/v1/bookings");
            assert_eq!(
                ask(request.header("authorization", given)).await.status,
                200
            );
        }
    })
    .await;
}

#[tokio::test]
async fn paths_and_methods_that_are_none_are_told_as_problems() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let said = refused(get(it, "/v1/bookngs"), 404).await;
        assert!(said.contains("/v1/bookngs"), "{said}");
        refused(get(it, "/v1/accounts/"), 404).await;
        for (method, path) in [
            (Method::DELETE, ADA),
            (Method::GET, TOP_UPS),
            (Method::POST, "/v1/bookings"),
            (Method::GET, "/v1/dead-letters/1/retry"),
        ] {
            refused(it.raw_admin(method, path).bearer_auth(ADMIN_TOKEN), 405).await;
        }
        // Percent-encoded bytes that are no UTF-8.
        for path in [
            "/v1/accounts/%ff",
            "/v1/accounts/%ff/entries",
            "/v1/bookings/calcom/%ff",
        ] {
            refused(get(it, path), 400).await;
        }
        refused(top_up(it, "/v1/accounts/%ff/top-ups", "k", &five()), 400).await;
        refused(
            it.raw_public(Method::GET, "/v1/bookings")
                .bearer_auth(ADMIN_TOKEN),
            404,
        )
        .await;
        let webhook = it.raw_admin(Method::POST, "/webhooks/calcom");
        refused(webhook.bearer_auth(ADMIN_TOKEN), 404).await;
        refused(it.raw_public(Method::POST, "/webhooks/%ff"), 400).await;
    })
    .await;
}

#[tokio::test]
async fn both_doors_tell_whether_they_are_open() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for path in ["/livez", "/readyz"] {
            for request in [
                it.raw_public(Method::GET, path),
                it.raw_admin(Method::GET, path),
            ] {
                let answered = ask(request).await;
                assert_eq!((answered.status, answered.body), (200, "ok".into()));
            }
            refused(it.raw_public(Method::POST, path), 405).await;
            refused(it.raw_admin(Method::POST, path), 405).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_so() {
    let setup = Setup {
        server: "request_timeout_ms = 200",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        let door = it.raw_admin(Method::POST, TOP_UPS).build().unwrap();
        let address = door.url().socket_addrs(|| None).unwrap()[0];
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let half = format!(
            "POST {TOP_UPS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
             content-type: application/json\r\nidempotency-key: k\r\ncontent-length: 60\r\n\r\n{{"
        );
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        stream.write_all(half.as_bytes()).await.unwrap();
        let mut said = vec![0; 1_024];
        let read = stream.read(&mut said).await.unwrap();
        let said = String::from_utf8_lossy(&said[..read]).into_owned();
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(said.contains("application/problem+json"), "{said}");
    })
    .await;
}
