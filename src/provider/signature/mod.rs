//! How webhooks are signed, as data in one place: a scheme says which headers, which bytes and which
//! key; everything else is shared. The signature is checked over the raw bytes, in constant time, with
//! every configured secret (rotation), before anything is parsed.

mod schemes;
#[cfg(test)]
mod tests;

use std::fmt;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

type HmacSha256 = Hmac<Sha256>;

/// Looks a request header up by its lower-case name.
pub type Headers<'a, 'h> = &'a (dyn Fn(&str) -> Option<&'h [u8]> + Sync);

/// How a provider signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// Hex HMAC-SHA256 of the body alone. Cal.com: `x-cal-signature-256`.
    HexHmacBody {
        /// The header, lower case.
        header: &'static str,
    },
    /// `t=<unix s>,v1=<hex>` over `t.body`. Calendly, Stripe; several `v1` may be given.
    TimestampedHmac {
        /// The header, lower case.
        header: &'static str,
        /// How far `t` may be from now, either way, in ms.
        tolerance_ms: i64,
    },
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` (or `svix-…`) with
    /// base64 over `id.timestamp.body`; secrets are `whsec_` and base64.
    StandardWebhooks {
        /// How far the timestamp may be from now, either way, in ms.
        tolerance_ms: i64,
    },
    /// The secret itself stands in a header. Meeting BaaS v1: `x-meeting-baas-api-key`.
    SharedHeaderSecret {
        /// The header, lower case.
        header: &'static str,
    },
}

/// Why a signature was refused. Says nothing about the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing.
    #[error("no signature header")]
    Missing,
    /// A header is not of the scheme's form.
    #[error("the signature header is malformed")]
    Malformed,
    /// No secret gives this signature.
    #[error("the signature does not match")]
    Mismatch,
    /// The signature matches, and was made too long ago or in the future.
    #[error("the signature matches but its time is out of tolerance")]
    Stale,
}

/// A secret that cannot be a key of the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There are no secrets at all.
    #[error("no signing secret")]
    NoSecret,
    /// A secret is empty.
    #[error("a signing secret is empty")]
    Empty,
    /// Not `whsec_` and base64.
    #[error("a Standard Webhooks secret is `whsec_` followed by base64")]
    NotBase64,
}

/// A scheme with its keys, made ready once.
#[derive(Clone)]
pub struct Verifier {
    scheme: Scheme,
    keys: Vec<HmacSha256>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("scheme", &self.scheme)
            .field("keys", &self.keys.len())
            .finish()
    }
}

impl Verifier {
    /// Makes the keys ready.
    ///
    /// # Errors
    /// There is no secret, or one cannot be a key of this scheme.
    pub fn new(scheme: Scheme, secrets: &[Secret]) -> Result<Self, KeyError> {
        if secrets.is_empty() {
            return Err(KeyError::NoSecret);
        }
        let keys = secrets.iter().map(|secret| scheme.key(secret.expose()));
        let keys = keys.collect::<Result<_, _>>()?;
        Ok(Self { scheme, keys })
    }

    /// Checks a delivery against every secret, whichever matches, so that time tells nothing.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn verify(
        &self,
        headers: Headers<'_, '_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.scheme.verify(&self.keys, headers, body, now)
    }

    /// The headers that sign a body with the first secret, for the stand-in, the command line and
    /// tests. `id` is the delivery's id where the scheme has one.
    pub fn sign(&self, id: &str, body: &[u8], now: Timestamp) -> Vec<(&'static str, String)> {
        match self.keys.first() {
            Some(key) => self.scheme.sign(key, id, body, now),
            None => Vec::new(),
        }
    }
}

impl Scheme {
    fn key(&self, secret: &str) -> Result<HmacSha256, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        let decoded;
        let bytes = if let Self::StandardWebhooks { .. } = self {
            decoded = schemes::standard_key(secret).ok_or(KeyError::NotBase64)?;
            &decoded
        } else {
            secret.as_bytes()
        };
        // HMAC takes keys of any length.
        HmacSha256::new_from_slice(bytes).map_err(|_| KeyError::Empty)
    }
}
