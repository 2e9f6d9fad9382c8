//! The public door, spoken to as a provider, a stranger or a broken client would: what is refused
//! leaves no trace, what is accepted is kept, and nothing is worked twice.

mod contents;
mod ids;
mod printed;
mod trouble;

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use sha2::Sha256;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Installation, READ_TOKEN, SECRET, Setup, answer, run_test_on_file};

const SIGNATURE: &str = "x-cal-signature-256";
const PING: &[u8] =
    br#"{"triggerEvent":"PING","createdAt":"2027-03-01T11:59:00.000Z","payload":{}}"#;

/// A stored delivery, as the file has it.
#[derive(Debug, PartialEq, Eq)]
struct Stored {
    source: String,
    state: String,
    trigger: Option<String>,
    note: Option<String>,
    body: Vec<u8>,
}

async fn connect(it: &Installation, read_only: bool) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(it.database());
    options.read_only(read_only).connect().await.unwrap()
}

/// Everything in the inbox, once nothing is left in the journal.
async fn stored(it: &Installation) -> Vec<Stored> {
    it.settle().await;
    let mut file = connect(it, true).await;
    let rows = sqlx::query("SELECT source, state, trigger, note, body FROM delivery ORDER BY id");
    let stored = |row: sqlx::sqlite::SqliteRow| Stored {
        source: row.get("source"),
        state: row.get("state"),
        trigger: row.get("trigger"),
        note: row.get("note"),
        body: row.get("body"),
    };
    let rows = rows.fetch_all(&mut file).await.unwrap();
    rows.into_iter().map(stored).collect()
}

/// Lower-case hex, made here so that the daemon's own signing is not what vouches for its checking.
fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

async fn post(it: &Installation, source: &str, body: &[u8], signature: Option<&str>) -> u16 {
    let mut request = it
        .raw_public(Method::POST, &format!("/webhooks/{source}"))
        .header("content-type", "application/json")
        .body(body.to_vec());
    if let Some(signature) = signature {
        request = request.header(SIGNATURE, signature);
    }
    let (status, said) = answer(request).await;
    if status != 200 {
        let detail = said["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "no word on what went wrong: {said}");
    }
    status
}

async fn post_signed(it: &Installation, body: &[u8]) -> u16 {
    post(it, "calcom", body, Some(&sign(SECRET, body))).await
}

/// Sends bytes as they are and gives the status line's number.
async fn speak(it: &Installation, request: &[u8]) -> u16 {
    let address = it.public().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut line = vec![0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).await.unwrap();
    let line = String::from_utf8(line).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

fn head(body: &[u8], framing: &str) -> Vec<u8> {
    let signature = sign(SECRET, body);
    format!(
        "POST /webhooks/calcom HTTP/1.1\r\nhost: x\r\n{SIGNATURE}: {signature}\r\n{framing}\r\n\r\n"
    )
    .into_bytes()
}

/// A source of its own beside `calcom`, with these lines.
fn with_source(name_and_lines: &'static str) -> Setup {
    Setup {
        source: name_and_lines,
        ..Setup::default()
    }
}

#[tokio::test]
async fn an_unknown_source_is_not_found_and_only_post_is_taken() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let signature = sign(SECRET, PING);
        assert_eq!(post(it, "elsewhere", PING, Some(&signature)).await, 404);
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let (status, said) = answer(it.raw_public(method, "/webhooks/calcom")).await;
            assert_eq!((status, &said["code"]), (405, &"method-not-allowed".into()));
        }
        assert_eq!(stored(it).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_signature_that_does_not_fit_stores_nothing() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let right = sign(SECRET, PING);
        let other_secret = sign("somebody else's secret", PING);
        let other_body = sign(SECRET, b"{}");
        let mut one_off = right.clone().into_bytes();
        one_off[63] = if one_off[63] == b'0' { b'1' } else { b'0' };
        let one_off = String::from_utf8(one_off).unwrap();
        let refused = [
            None,
            Some(""),
            Some("no-secret-provided"),
            Some(&right[..63]),
            Some(&right[..62]),
            Some(&one_off),
            Some(&other_secret),
            Some(&other_body),
            Some(SECRET),
        ];
        for signature in refused {
            assert_eq!(
                post(it, "calcom", PING, signature).await,
                401,
                "{signature:?}"
            );
        }
        assert_eq!(stored(it).await, []);
        assert_eq!(post(it, "calcom", PING, Some(&right)).await, 200);
        assert_eq!(stored(it).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_signature_is_over_the_bytes_as_they_came() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        // The same JSON, spelled differently: a parser in front of the check would make them equal.
        let spaced =
            br#"{ "triggerEvent" : "PING", "createdAt":"2027-03-01T11:59:00.000Z","payload":{} }"#;
        assert_eq!(
            post(it, "calcom", spaced, Some(&sign(SECRET, PING))).await,
            401
        );
        assert_eq!(post_signed(it, spaced).await, 200);
        let stored = stored(it).await;
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].body, spaced, "kept to the byte");
    })
    .await;
}

#[tokio::test]
async fn while_secrets_are_changed_over_both_are_good() {
    let setup = with_source(
        r#"
        [sources.changing]
        provider = "calcom"
        signing_secrets = ["env:READ", "env:SECRET"]
        [sources.changing.api]
        key = "env:KEY"
        "#,
    );
    run_test_on_file(setup, async |it: &mut Installation| {
        let other: &[u8] = br#"{"triggerEvent":"PING"}"#;
        assert_eq!(
            post(it, "changing", PING, Some(&sign(SECRET, PING))).await,
            200
        );
        assert_eq!(
            post(it, "changing", other, Some(&sign(READ_TOKEN, other))).await,
            200
        );
        assert_eq!(
            post(it, "changing", PING, Some(&sign("a third", PING))).await,
            401
        );
        assert_eq!(
            post(it, "calcom", PING, Some(&sign(READ_TOKEN, PING))).await,
            401
        );
        let sources: Vec<_> = stored(it).await.into_iter().map(|one| one.source).collect();
        assert_eq!(sources, ["changing", "changing"]);
    })
    .await;
}

#[tokio::test]
async fn a_source_without_verification_takes_unsigned_webhooks() {
    let setup = with_source(
        r#"
        [sources.open]
        provider = "calcom"
        verification = "none"
        [sources.open.api]
        key = "env:KEY"
        "#,
    );
    run_test_on_file(setup, async |it: &mut Installation| {
        assert_eq!(post(it, "open", PING, None).await, 200);
        assert_eq!(post(it, "calcom", PING, None).await, 401);
        let stored = stored(it).await;
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].source, "open");
    })
    .await;
}

#[tokio::test]
async fn a_webhook_is_answered_while_all_other_work_stands_still() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        assert_eq!(post_signed(it, PING).await, 200, "it has started");
        let another = [b" ", PING].concat();
        let length = format!("content-length: {}", another.len());
        let request = [head(&another, &length), another].concat();
        let address = it.public().strip_prefix("http://").unwrap();
        // This thread does all that the daemon does beside answering, and waits here.
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        std::io::Write::write_all(&mut stream, &request).unwrap();
        let mut line = vec![0; "HTTP/1.1 200".len()];
        std::io::Read::read_exact(&mut stream, &mut line).expect("no answer while it stands still");
        assert_eq!(line, b"HTTP/1.1 200");
        assert_eq!(stored(it).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_however_it_is_framed() {
    let setup = Setup {
        server: "body_bytes_max = 4096",
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let padded = |bytes: usize| {
            let padding = "x".repeat(bytes - r#"{"triggerEvent":"PING","p":""}"#.len());
            format!(r#"{{"triggerEvent":"PING","p":"{padding}"}}"#).into_bytes()
        };
        let (fits, over) = (padded(4096), padded(4097));
        assert_eq!(post_signed(it, &over).await, 413);
        let chunked = |body: &[u8]| {
            let length = format!("{:x}\r\n", body.len());
            let chunk = [length.as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
            [head(body, "transfer-encoding: chunked"), chunk].concat()
        };
        assert_eq!(speak(it, &chunked(&over)).await, 413);
        // Refused on its word, before a byte of the body is there.
        assert_eq!(
            speak(it, &head(b"", "content-length: 999999999999")).await,
            413
        );
        assert_eq!(stored(it).await, []);
        assert_eq!(post_signed(it, &fits).await, 200);
        let again = [b" ", &fits[..4095]].concat();
        assert_eq!(speak(it, &chunked(&again)).await, 200);
        assert_eq!(stored(it).await.len(), 2);
    })
    .await;
}
