//! Texts that other people's servers keep for us: fetched whole, and only when they have changed.

use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED};

use super::answer::Received;
use crate::domain::callout::{Auth, Limits, Method, Question};
use crate::domain::secret::Secret;

/// The longest text that is downloaded, in bytes: a million addresses.
pub const DOWNLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a download may take with all its attempts, in ms.
const DEADLINE_MS: i64 = 30_000;
/// How often it is tried within that.
const ATTEMPTS: u32 = 2;
/// The longest mark of a version that is kept, in bytes.
const MARK_BYTES_MAX: usize = 1_024;

/// A text that is wanted.
#[derive(Debug, Clone)]
pub struct Download {
    /// Where it is: an absolute address, `https` unless allowed otherwise.
    pub url: String,
    /// Whether the address may be `http`.
    pub allow_http: bool,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<Secret>,
    /// The version that is known; [`Version::default`] if none is.
    pub known: Version,
}

/// How a server tells the versions of a text apart, as it said so itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What came of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Downloaded {
    /// The known version is the latest.
    Same,
    /// Another one.
    Text(String, Version),
}

impl Download {
    pub(super) fn question(&self) -> Question {
        let known = [
            ("If-None-Match", &self.known.etag),
            ("If-Modified-Since", &self.known.last_modified),
        ];
        let known = known
            .into_iter()
            .filter_map(|(name, mark)| Some((name.to_owned(), mark.clone()?)));
        let accept = ("Accept".to_owned(), "text/plain, */*;q=0.1".to_owned());
        Question {
            // Each download is another question.
            key: String::new(),
            method: Method::Get,
            url: self.url.clone(),
            body: None,
            headers: [accept].into_iter().chain(known).collect(),
            auth: self.token.clone().map(Auth::Bearer),
            sign: None,
            limits: Limits {
                timeout_ms: DEADLINE_MS,
                attempts: ATTEMPTS,
                deadline_ms: DEADLINE_MS,
                body_bytes_max: DOWNLOAD_BYTES_MAX,
                allow_http: self.allow_http,
            },
        }
    }
}

/// What a server's answer is.
///
/// # Errors
/// It is no text, and does not say that the known one is the latest.
pub(super) fn read(received: Received) -> Result<Downloaded, String> {
    let Received {
        status,
        headers,
        body,
    } = received;
    match status {
        200 => {
            plain(&headers)?;
            let text = String::from_utf8(body.into());
            let text = text.map_err(|_| "HTTP 200 with a body that is not UTF-8".to_owned())?;
            Ok(Downloaded::Text(text, version(&headers)))
        }
        304 => Ok(Downloaded::Same),
        300..=399 => Err(format!(
            "HTTP {status}: redirects are not followed; write the address that it leads to"
        )),
        _ => Err(format!("HTTP {status}")),
    }
}

/// Pages and JSON are refused: most of their lines would pass for names.
fn plain(headers: &HeaderMap) -> Result<(), String> {
    let Some(sort) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let sort = sort.to_str().unwrap_or_default().to_ascii_lowercase();
    let sort = sort.split(';').next().unwrap_or_default().trim();
    let is_plain = ["text/plain", "text/csv"].contains(&sort) || sort.ends_with("/octet-stream");
    is_plain
        .then_some(())
        .ok_or_else(|| "HTTP 200 with a `Content-Type` that is not text/plain".to_owned())
}

fn version(headers: &HeaderMap) -> Version {
    let mark = |name: HeaderName| {
        let mark = headers.get(name)?.to_str().ok()?;
        (mark.len() <= MARK_BYTES_MAX).then(|| mark.to_owned())
    };
    Version {
        etag: mark(ETAG),
        last_modified: mark(LAST_MODIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::callout::tests::{HOST, SECRET, caller};
    use crate::provider::scripted_server::{ScriptedServer, Step};

    async fn wanted(steps: impl IntoIterator<Item = Step>) -> (ScriptedServer, Download) {
        let server = ScriptedServer::start(steps).await;
        let port = server.url.port().unwrap();
        let download = Download {
            url: format!("http://{HOST}:{port}/blocked.txt?key=1"),
            allow_http: true,
            token: Some(Secret::new(SECRET)),
            known: Version::default(),
        };
        (server, download)
    }

    #[tokio::test]
    async fn a_text_comes_with_its_version_and_the_same_one_does_not_come_again() {
        let marks = [
            "etag: \"v1\"",
            "last-modified: Sat, 27 Feb 2027 10:00:00 GMT",
        ];
        let marks = [
            marks[0],
            marks[1],
            "content-type: text/plain; charset=utf-8",
        ];
        let steps = [
            Step::with(200, &marks, "eve@example.org\n"),
            Step::with(304, &[], ""),
        ];
        let (server, mut download) = wanted(steps).await;
        let version = Version {
            etag: Some("\"v1\"".to_owned()),
            last_modified: Some("Sat, 27 Feb 2027 10:00:00 GMT".to_owned()),
        };
        let text = Downloaded::Text("eve@example.org\n".to_owned(), version.clone());
        assert_eq!(caller().download(&download).await, Ok(text));
        download.known = version;
        assert_eq!(caller().download(&download).await, Ok(Downloaded::Same));
        let seen = server.seen();
        assert_eq!(seen[0].line, "GET /blocked.txt?key=1");
        assert_eq!(seen[0].headers["authorization"], format!("Bearer {SECRET}"));
        for unasked in ["if-none-match", "if-modified-since", "idempotency-key"] {
            assert!(!seen[0].headers.contains_key(unasked), "{unasked}");
        }
        assert!(seen[0].headers["accept"].starts_with("text/plain"));
        assert_eq!(seen[1].headers["if-none-match"], "\"v1\"");
        let since = &seen[1].headers["if-modified-since"];
        assert_eq!(since, "Sat, 27 Feb 2027 10:00:00 GMT");
    }

    #[tokio::test]
    async fn what_is_no_text_is_told_without_secrets() {
        let steps = [
            Step::with(401, &[], "who are you"),
            Step::with(302, &["location: http://10.0.0.1/"], ""),
            Step::Bytes(b"HTTP/1.1 200 Test\r\ncontent-length: 2\r\n\r\n\xff\xfe".to_vec()),
            Step::with(200, &["content-type: Text/HTML; charset=utf-8"], "Welcome"),
            Step::with(503, &[], ""),
            Step::with(503, &[], ""),
        ];
        let (server, download) = wanted(steps).await;
        for expected in [
            "HTTP 401",
            "HTTP 302: redirects are not followed; write the address that it leads to",
            "HTTP 200 with a body that is not UTF-8",
            "HTTP 200 with a `Content-Type` that is not text/plain",
            "HTTP 503 (after 2 attempts)",
        ] {
            assert_eq!(caller().download(&download).await, Err(expected.to_owned()));
        }
        assert_eq!(server.seen().len(), 6);
        let elsewhere = Download {
            url: "https://example.org/blocked.txt".to_owned(),
            ..download
        };
        let why = caller().download(&elsewhere).await.unwrap_err();
        assert!(why.contains("callouts.hosts"), "{why}");
    }
}
