//! A question put to somebody else's server before a decision, and what it answered. Policies ask
//! (`kind = "http"`), [`provider`](crate::provider) calls, and the answer is a fact like any other.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::secret::Secret;

/// A question, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The same over all attempts, and for the same question about the same booking; sent as
    /// `Idempotency-Key`. Empty for what may be asked any number of times.
    pub key: String,
    /// How it is asked.
    pub method: Method,
    /// Whom: an absolute address, `https` unless the limits allow otherwise. What is asked with `GET` is
    /// in its query already.
    pub url: String,
    /// What is asked with `POST`: JSON.
    pub body: Option<String>,
    /// Further headers, as they were written; never those that carry secrets.
    pub headers: Vec<(String, String)>,
    /// How we say who we are.
    pub auth: Option<Auth>,
    /// The key under which the body (with `GET`: the path and query) is signed.
    pub sign: Option<Secret>,
    /// How long, how often and how much.
    pub limits: Limits,
}

/// How a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// In the address.
    #[serde(rename = "GET")]
    Get,
    /// In the body.
    #[serde(rename = "POST")]
    Post,
}

/// How we say who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A header of its own, such as `X-Api-Key`.
    Header {
        /// The header's name.
        name: String,
        /// What stands in it.
        value: Secret,
    },
}

/// Headers that say how a request is sent, or that we write ourselves, in lower case.
const RESERVED_HEADERS: [&str; 12] = [
    AUTHORIZATION,
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const AUTHORIZATION: &str = "authorization";

/// Whether a header is not for [`Question::headers`] to set.
pub fn is_reserved_header(name: &str) -> bool {
    RESERVED_HEADERS
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Whether [`Auth::Header`] may have this name: `Authorization` is there for that.
pub fn may_say_who_we_are(name: &str) -> bool {
    name.eq_ignore_ascii_case(AUTHORIZATION) || !is_reserved_header(name)
}

/// How long, how often and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One attempt, in ms.
    pub timeout_ms: i64,
    /// The most attempts.
    pub attempts: u32,
    /// All attempts together and the waits between them, in ms.
    pub deadline_ms: i64,
    /// The longest body that is read, in bytes.
    pub body_bytes_max: usize,
    /// Whether the address may be `http`.
    pub allow_http: bool,
}

/// What was answered: whatever the status, and the body where it is JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body; `None` if it is empty or no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_we_are_is_said_in_one_header_and_how_we_send_in_none() {
        for (name, is_reserved, says_who) in [
            ("X-Tenant", false, true),
            ("Authorization", true, true),
            ("HOST", true, false),
            ("transfer-encoding", true, false),
            ("Idempotency-Key", true, false),
        ] {
            let told = (is_reserved_header(name), may_say_who_we_are(name));
            assert_eq!(told, (is_reserved, says_who), "{name}");
        }
    }
}
