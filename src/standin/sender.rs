//! The sending of webhooks: one POST over HTTP, and what signatures are made of.

use std::io;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use url::Url;

/// The longest status line that is read.
const STATUS_LINE_BYTES_MAX: u64 = 1_024;

/// The address cannot be subscribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be subscribed: the stand-in sends to http:// addresses with a host only")]
pub struct BadSubscriber(String);

/// A webhook's headers: name and value, as sent.
pub(super) type Headers = Vec<(&'static str, String)>;

/// The address of a subscriber.
pub(super) fn parse_url(text: &str) -> Result<Url, BadSubscriber> {
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| BadSubscriber(text.to_owned()))
}

/// HMAC-SHA256 of all parts in a row, in lower-case hex.
pub(super) fn sign(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

/// One HTTP/1.1 POST; gives the status. Redirects are not followed and the answer's body is not read.
pub(super) async fn post(
    url: &Url,
    headers: &Headers,
    body: &[u8],
    answer_timeout: Duration,
) -> io::Result<u16> {
    tokio::time::timeout(answer_timeout, post_without_limit(url, headers, body))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn post_without_limit(url: &Url, headers: &Headers, body: &[u8]) -> io::Result<u16> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut head = format!("POST {target} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = body.len();
    head.push_str(&format!(
        "Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ));

    let connect_to = host.trim_matches(['[', ']']);
    let mut stream = TcpStream::connect((connect_to, port)).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;

    let mut line = Vec::new();
    let mut answer = BufReader::new(tokio::io::AsyncReadExt::take(stream, STATUS_LINE_BYTES_MAX));
    answer.read_until(b'\n', &mut line).await?;
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP status line");
    std::str::from_utf8(&line)
        .ok()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.trim().parse().ok())
        .ok_or_else(unreadable)
}
