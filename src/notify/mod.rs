//! Tells those outside who asked for it: one attempt to hand a notice to a receiver, as a webhook signed
//! by the Standard Webhooks scheme (`webhook-id`, `webhook-timestamp`, `webhook-signature`). What to tell,
//! to whom and how often is the gate's. Follows no redirect, and logs nothing.

use std::time::Duration;

use url::Url;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::provider::client::{ClientError, HttpClient, Method};
use crate::provider::signature::{KeyError, Scheme, Verifier};

/// The `type` of a notice that tells of nothing, and is sent to try a receiver out.
pub const TEST: &str = "bookgate.test";
/// Signing asks for a tolerance as checking does, and has no use for it.
const STANDARD: Scheme = Scheme::StandardWebhooks { tolerance_ms: 0 };
/// The header that holds the signatures.
const SIGNATURE: &str = "webhook-signature";

/// Somebody who is told.
#[derive(Debug)]
pub struct Receiver {
    name: String,
    url: Url,
    client: HttpClient,
    /// One for each secret, since a notice is signed with all of them.
    signers: Vec<Verifier>,
    timeout_ms: u32,
}

/// Why a receiver cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A secret is none of the scheme.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The receiver has it.
    Taken {
        /// The status, 200 to 299.
        status: u16,
    },
    /// HTTP 410: the receiver wants nothing any more.
    Gone,
    /// Any other answer.
    Refused {
        /// The status.
        status: u16,
        /// How long it asks to be left alone, in ms.
        wait_ms: Option<i64>,
    },
    /// No answer; why, in words without the address.
    Unanswered(String),
}

impl Receiver {
    /// A receiver of that name. A notice is signed with every secret, so that the receiver may change
    /// over from one to the other; `timeout_ms` is for the whole attempt.
    ///
    /// # Errors
    /// [`ReceiverError`].
    pub fn new(
        name: impl Into<String>,
        url: Url,
        secrets: &[Secret],
        timeout_ms: u32,
    ) -> Result<Self, ReceiverError> {
        if secrets.is_empty() {
            return Err(KeyError::NoSecret.into());
        }
        let signer = |secret| Verifier::new(vec![STANDARD], std::slice::from_ref(secret));
        Ok(Self {
            name: name.into(),
            client: HttpClient::new(&url, timeout_ms)?,
            url,
            signers: secrets.iter().map(signer).collect::<Result<_, _>>()?,
            timeout_ms,
        })
    }

    /// Its name, as in `[notices.NAME]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long an attempt takes at most, in ms.
    pub fn timeout_ms(&self) -> i64 {
        self.timeout_ms.into()
    }

    /// Makes one attempt. `message` is the same at every attempt to send this `body`; `now` is what the
    /// receiver holds against its own clock.
    pub async fn send(&self, message: &str, body: &str, now: Timestamp) -> Told {
        let request = self.client.request(Method::POST, self.url.clone());
        let request = request.header("content-type", "application/json");
        let headers = self.headers(message, body, now).into_iter();
        let request = headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let timeout = Duration::from_millis(self.timeout_ms.into());
        let request = request.body(body.to_owned());
        match self.client.exchange(request, timeout).await {
            Ok(answer) => match answer.status {
                status @ 200..=299 => Told::Taken { status },
                410 => Told::Gone,
                status => Told::Refused {
                    status,
                    wait_ms: answer.wait_ms,
                },
            },
            Err(error) => Told::Unanswered(error.to_string()),
        }
    }

    /// Id and time, and the signatures by all secrets in one header, as the scheme has it.
    fn headers(&self, message: &str, body: &str, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut signed = self
            .signers
            .iter()
            .map(|signer| signer.sign(message, body.as_bytes(), now));
        let mut headers = signed.next().unwrap_or_default();
        for (name, value) in signed.flatten().filter(|(name, _)| *name == SIGNATURE) {
            for (_, signatures) in headers.iter_mut().filter(|(known, _)| *known == name) {
                signatures.push(' ');
                signatures.push_str(&value);
            }
        }
        headers
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken { status } => write!(f, "HTTP {status}"),
            Self::Gone => f.write_str("HTTP 410: the receiver wants nothing any more"),
            Self::Refused {
                status: status @ 300..=399,
                ..
            } => write!(f, "HTTP {status}: a redirect, which is not followed"),
            Self::Refused { status, .. } => write!(f, "HTTP {status}"),
            Self::Unanswered(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const SECOND: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

    #[test]
    fn a_notice_is_signed_with_every_secret() {
        let secrets = [FIRST, SECOND].map(Secret::new);
        let url = Url::parse("https://hooks.example.org/in").unwrap();
        let receiver = Receiver::new("ops", url, &secrets, 1_000).unwrap();
        let now = "2027-03-01T12:00:00Z".parse().unwrap();
        let headers = receiver.headers("msg_1", "{}", now);
        assert_eq!(headers.len(), 3);
        let looked_up = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_bytes())
        };
        for secret in secrets {
            let scheme = Scheme::StandardWebhooks { tolerance_ms: 1 };
            let verifier = Verifier::new(vec![scheme], &[secret]).unwrap();
            assert_eq!(verifier.verify(&looked_up, b"{}", now), Ok(()));
            assert!(verifier.verify(&looked_up, b"{ }", now).is_err());
        }
    }
}
