//! What a call without a usable answer means, and how it is told without telling secrets.

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use serde_json::Value;

use super::Effect;
use crate::provider::CallError;

/// How many characters of the provider's own message are kept.
const MESSAGE_CHARS_MAX: usize = 120;
/// A word longer than this in a provider's message may be a token and is left out.
const WORD_CHARS_MAX: usize = 40;
/// The longest error code kept.
const CODE_BYTES_MAX: usize = 64;

/// It is open whether the call was worked: unknown for a change, worth another try for a read.
pub(super) fn unsettled(effect: Effect, status: Option<StatusCode>, detail: String) -> CallError {
    let http_status = status.map(|status| status.as_u16());
    match effect {
        Effect::Read => CallError::Transient {
            http_status,
            detail,
        },
        Effect::Change => CallError::Unknown {
            http_status,
            detail,
        },
    }
}

/// No answer came. What failed before the request was on its way did nothing for sure.
pub(super) fn without_answer(error: &reqwest::Error, effect: Effect) -> CallError {
    let what = cause(error);
    if error.is_connect() || error.is_builder() {
        return CallError::Transient {
            http_status: None,
            detail: format!("no connection: {what}"),
        };
    }
    unsettled(effect, None, format!("no answer: {what}"))
}

/// A short cause, made of our own words or the operating system's: the error's text would carry
/// the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    if error.is_dns() {
        return "host name not resolved".to_owned();
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return io.kind().to_string();
        }
        source = inner.source();
    }
    "connection closed".to_owned()
}

/// An answer that is no success.
pub(super) fn refused(status: StatusCode, effect: Effect, body: &[u8]) -> CallError {
    let http_status = status.as_u16();
    let detail = format!("HTTP {http_status}{}", said(body));
    match http_status {
        404 | 410 => CallError::NotFound { http_status },
        408 | 425 => CallError::Transient {
            http_status: Some(http_status),
            detail,
        },
        300..=399 => CallError::Rejected {
            http_status,
            detail: format!(
                "HTTP {http_status}: a redirect, which is not followed; set the base URL to the final address"
            ),
        },
        400..=499 => CallError::Rejected {
            http_status,
            detail,
        },
        _ => unsettled(effect, Some(status), detail),
    }
}

/// The provider's own words, ` (Code: message)`, as far as they may be shown. Known shapes:
/// `{error: {code, message}}`, `{error: "…"}`, `{message}`.
fn said(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let error = &body["error"];
    let code = error["code"].as_str().filter(|code| is_code(code));
    let message = [&error["message"], error, &body["message"]]
        .into_iter()
        .find_map(Value::as_str)
        .map(presentable)
        .filter(|message| !message.is_empty());
    match (code, message) {
        (Some(code), Some(message)) => format!(" ({code}: {message})"),
        (Some(text), None) => format!(" ({text})"),
        (None, Some(text)) => format!(" ({text})"),
        (None, None) => String::new(),
    }
}

fn is_code(text: &str) -> bool {
    (1..=CODE_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The start of a message, on one line, without what looks like an address, a URL or a token.
fn presentable(message: &str) -> String {
    let words: Vec<&str> = message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if is_private(word) { "…" } else { word })
        .collect();
    words.join(" ").chars().take(MESSAGE_CHARS_MAX).collect()
}

fn is_private(word: &str) -> bool {
    word.contains('@')
        || word.contains("%40")
        || word.contains("://")
        || word.to_ascii_lowercase().contains("apikey=")
        || word.chars().count() > WORD_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(body: &str, expected: &Expect) {
        expected.assert_eq(&said(body.as_bytes()));
    }

    #[test]
    fn keeps_code_and_message() {
        let body =
            r#"{"status":"error","error":{"code":"TRPCError","message":"Already confirmed"}}"#;
        check(body, &expect![" (TRPCError: Already confirmed)"]);
        check(r#"{"message":"No key given"}"#, &expect![" (No key given)"]);
        check(r#"{"error":"Key not valid"}"#, &expect![" (Key not valid)"]);
        check(r#"{"error":{"code":"too_many"}}"#, &expect![" (too_many)"]);
        check("<html>", &expect![""]);
        check("[]", &expect![""]);
    }

    #[test]
    fn drops_addresses_urls_tokens_and_control_characters() {
        check(
            r#"{"message":"user <zoe@example.org>\u0007 not at\nhttps://x.example/?apiKey=1 or zoe%40example.org"}"#,
            &expect![" (user … not at … or …)"],
        );
        let long = format!(
            r#"{{"message":"{} {}"}}"#,
            "t".repeat(41),
            "word ".repeat(60)
        );
        assert!(said(long.as_bytes()).starts_with(" (… word"));
        assert_eq!(said(long.as_bytes()).chars().count(), 120 + 3);
        check(
            r#"{"error":{"code":"a b","message":"m"}}"#,
            &expect![" (m)"],
        );
    }
}
