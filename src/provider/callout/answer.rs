//! From what a server sent to a reply, within limits.

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::names;
use crate::domain::callout::Reply;
use crate::provider::CallError;
use crate::provider::api::not_sent;
use crate::provider::client::{self, Unread};

/// How deep lists and objects may lie in each other.
const DEPTH_MAX: usize = 16;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What became of an attempt: `Transient` may be tried again, `Rejected` not.
pub(super) async fn receive(
    sent: Result<Response, reqwest::Error>,
    body_bytes_max: usize,
) -> Result<Received, CallError> {
    let response = sent.map_err(|error| match names::kept_from(&error) {
        Some(closed) => not_sent(&closed.to_string()),
        None => client::unanswered(&error),
    })?;
    let status = response.status().as_u16();
    if let 502..=504 = status {
        return Err(CallError::Transient {
            http_status: Some(status),
            detail: format!("HTTP {status}"),
        });
    }
    let unusable = |detail: String| CallError::Rejected {
        http_status: status,
        detail,
    };
    let headers = response.headers().clone();
    let body = client::read_limited(response, body_bytes_max);
    let body = body.await.map_err(|unread| match unread {
        Unread::BrokenOff => CallError::Transient {
            http_status: Some(status),
            detail: format!("HTTP {status} with {unread}"),
        },
        Unread::TooLong => unusable(format!(
            "HTTP {status} with a body of more than {body_bytes_max} bytes"
        )),
    })?;
    Ok(Received {
        status,
        headers,
        body,
    })
}

impl Received {
    /// As the answer to a question.
    ///
    /// # Errors
    /// Its body is nested too deep.
    pub(super) fn reply(self) -> Result<Reply, String> {
        let status = self.status;
        if is_deeper(&self.body, DEPTH_MAX) {
            return Err(format!(
                "HTTP {status} with a body that is nested more than {DEPTH_MAX} deep"
            ));
        }
        Ok(Reply {
            status,
            json: serde_json::from_slice::<Value>(&self.body).ok(),
        })
    }
}

/// Whether brackets lie in each other more than `depth_max` deep, outside of texts. Looked at before
/// anything is made of them.
fn is_deeper(json: &[u8], depth_max: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        for (json, expected) in [
            ("[[1]]", false),
            ("[[[1]]]", true),
            (r#"{"a":{"b":[]}}"#, true),
            (r#"[{"a":"[[[{{{"},{"b":1}]"#, false),
            (r#"[{"a":"\"[[[\\"},[1]]"#, false),
            (r#"[{"a":"\\"},[[1]]]"#, true),
            ("", false),
        ] {
            assert_eq!(is_deeper(json.as_bytes(), 2), expected, "{json}");
        }
    }
}
