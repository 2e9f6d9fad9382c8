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
        /// What stands before a signature: `v1=`.
        mark: &'static str,
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

/// Why a signature was refused. Says nothing about the secret. A later variant tells more than an
/// earlier one, where several forms of signature are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
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

/// The schemes of a source with their keys, made ready once.
#[derive(Clone)]
pub struct Verifier {
    /// The provider's own first, then older forms that the source still takes.
    ways: Vec<(Scheme, Vec<HmacSha256>)>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = self.ways.iter().map(|(scheme, keys)| (scheme, keys.len()));
        f.debug_map().entries(ways).finish()
    }
}

impl Verifier {
    /// Makes the keys ready for each scheme; the first is the one to sign with.
    ///
    /// # Errors
    /// There is no secret, or one cannot be a key of a scheme.
    pub fn new(schemes: Vec<Scheme>, secrets: &[Secret]) -> Result<Self, KeyError> {
        if secrets.is_empty() {
            return Err(KeyError::NoSecret);
        }
        let ways = schemes.into_iter().map(|scheme| {
            let keys = secrets.iter().map(|secret| scheme.key(secret.expose()));
            let keys = keys.collect::<Result<_, _>>()?;
            Ok((scheme, keys))
        });
        let ways = ways.collect::<Result<_, _>>()?;
        Ok(Self { ways })
    }

    /// Checks a delivery against every secret, whichever matches, so that time tells nothing.
    ///
    /// # Errors
    /// See [`Refusal`]; of several schemes, the refusal that tells most.
    pub fn verify(
        &self,
        headers: Headers<'_, '_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut refused = Refusal::Missing;
        for (scheme, keys) in &self.ways {
            match scheme.verify(keys, headers, body, now) {
                Ok(()) => return Ok(()),
                Err(refusal) => refused = refused.max(refusal),
            }
        }
        Err(refused)
    }

    /// The headers that sign a body with the first secret, for the stand-in, the command line and
    /// tests. `id` is the delivery's id where the scheme has one.
    pub fn sign(&self, id: &str, body: &[u8], now: Timestamp) -> Vec<(&'static str, String)> {
        let first = self.ways.first();
        let first = first.and_then(|(scheme, keys)| Some((scheme, keys.first()?)));
        match first {
            Some((scheme, key)) => scheme.sign(key, id, body, now),
            None => Vec::new(),
        }
    }
}

impl Scheme {
    /// The scheme with another tolerance, in ms, if its signatures carry a time.
    #[must_use]
    pub fn with_tolerance(mut self, ms: i64) -> Self {
        match &mut self {
            Self::TimestampedHmac { tolerance_ms, .. }
            | Self::StandardWebhooks { tolerance_ms } => *tolerance_ms = ms,
            Self::HexHmacBody { .. } | Self::SharedHeaderSecret { .. } => {}
        }
        self
    }

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
