//! What each scheme signs and where it puts it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use subtle::{Choice, ConstantTimeEq};

use super::{Headers, HmacSha256, Refusal, Scheme};
use crate::domain::clock::Timestamp;

/// The label under which the digests of shared secrets are compared.
const SHARED_LABEL: &[u8] = b"shared header secret";
/// Signatures looked at in one header: more is no honest sender.
const SIGNATURES_MAX: usize = 16;

/// A SHA-256 signature.
type Signature = [u8; 32];

impl Scheme {
    pub(super) fn verify(
        &self,
        keys: &[HmacSha256],
        headers: Headers<'_, '_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match self {
            Self::HexHmacBody { header } => {
                let text = headers(header).ok_or(Refusal::Missing)?;
                let signature = hex_signature(text).ok_or(Refusal::Malformed)?;
                matches(keys, &[body], &[signature])
            }
            Self::TimestampedHmac {
                header,
                mark,
                tolerance_ms,
            } => {
                let text = headers(header).ok_or(Refusal::Missing)?;
                let (time, signatures) = timestamped(text, mark).ok_or(Refusal::Malformed)?;
                matches(keys, &[time.as_bytes(), b".", body], &signatures)?;
                in_time(time, *tolerance_ms, now)
            }
            Self::StandardWebhooks { tolerance_ms } => {
                let any = |one: &str, other: &str| headers(one).or_else(|| headers(other));
                let id = any("webhook-id", "svix-id").ok_or(Refusal::Missing)?;
                let time = any("webhook-timestamp", "svix-timestamp").ok_or(Refusal::Missing)?;
                let text = any("webhook-signature", "svix-signature").ok_or(Refusal::Missing)?;
                let time = std::str::from_utf8(time).map_err(|_| Refusal::Malformed)?;
                let signatures = standard(text).ok_or(Refusal::Malformed)?;
                matches(keys, &[id, b".", time.as_bytes(), b".", body], &signatures)?;
                in_time(time, *tolerance_ms, now)
            }
            Self::SharedHeaderSecret { header } => {
                let presented = headers(header).ok_or(Refusal::Missing)?;
                let key = <HmacSha256 as hmac::KeyInit>::new_from_slice(presented)
                    .map_err(|_| Refusal::Malformed)?;
                // Equal keys give equal digests, and digests have one length.
                let digest = digest(&key, &[SHARED_LABEL]);
                matches(keys, &[SHARED_LABEL], &[digest])
            }
        }
    }

    pub(super) fn sign(
        &self,
        key: &HmacSha256,
        id: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Vec<(&'static str, String)> {
        let time = now.as_second().to_string();
        let signed = |parts: &[&[u8]]| digest(key, parts);
        match self {
            Self::HexHmacBody { header } => vec![(header, hex::encode(signed(&[body])))],
            Self::TimestampedHmac { header, mark, .. } => {
                let signature = hex::encode(signed(&[time.as_bytes(), b".", body]));
                vec![(header, format!("t={time},{mark}{signature}"))]
            }
            Self::StandardWebhooks { .. } => {
                let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
                let signature = STANDARD.encode(signed(&parts));
                vec![
                    ("webhook-id", id.to_owned()),
                    ("webhook-timestamp", time),
                    ("webhook-signature", format!("v1,{signature}")),
                ]
            }
            // The secret itself would have to be kept to be sent; nobody asks for that.
            Self::SharedHeaderSecret { .. } => Vec::new(),
        }
    }
}

/// The key bytes of a Standard Webhooks secret.
pub(super) fn standard_key(secret: &str) -> Option<Vec<u8>> {
    let text = secret.strip_prefix("whsec_")?;
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

fn digest(key: &HmacSha256, parts: &[&[u8]]) -> Signature {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether any key gives any of the signatures. Always looks at all of them.
fn matches(keys: &[HmacSha256], parts: &[&[u8]], signatures: &[Signature]) -> Result<(), Refusal> {
    let mut found = Choice::from(0);
    for key in keys {
        let expected = digest(key, parts);
        for signature in signatures {
            found |= expected.ct_eq(signature);
        }
    }
    if bool::from(found) {
        Ok(())
    } else {
        Err(Refusal::Mismatch)
    }
}

fn in_time(time: &str, tolerance_ms: i64, now: Timestamp) -> Result<(), Refusal> {
    let seconds: i64 = time.parse().map_err(|_| Refusal::Malformed)?;
    let sent = seconds.checked_mul(1_000).ok_or(Refusal::Malformed)?;
    let distance = now.as_millisecond().saturating_sub(sent).saturating_abs();
    if distance <= tolerance_ms {
        Ok(())
    } else {
        Err(Refusal::Stale)
    }
}

fn hex_signature(text: &[u8]) -> Option<Signature> {
    let mut signature = Signature::default();
    hex::decode_to_slice(text, &mut signature).ok()?;
    Some(signature)
}

/// `t=…,v1=…[,v1=…]`: one time, at least one signature; other parts are for other schemes.
fn timestamped<'t>(text: &'t [u8], mark: &str) -> Option<(&'t str, Vec<Signature>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut time, mut signatures) = (None, Vec::new());
    for part in text.split(',').map(str::trim) {
        if let Some(value) = part.strip_prefix("t=") {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            if time.replace(value).is_some() || !digits {
                return None;
            }
        } else if let Some(value) = part.strip_prefix(mark) {
            if signatures.len() < SIGNATURES_MAX {
                signatures.push(hex_signature(value.as_bytes())?);
            }
        } else if !part.contains('=') {
            return None;
        }
    }
    Some((time?, signatures)).filter(|(_, signatures)| !signatures.is_empty())
}

/// `v1,<base64> v1,<base64>`: other versions are for other schemes.
fn standard(text: &[u8]) -> Option<Vec<Signature>> {
    let text = std::str::from_utf8(text).ok()?;
    let signatures: Vec<Signature> = text
        .split(' ')
        .filter_map(|part| part.strip_prefix("v1,"))
        .take(SIGNATURES_MAX)
        .filter_map(|value| STANDARD.decode(value).ok()?.try_into().ok())
        .collect();
    (!signatures.is_empty()).then_some(signatures)
}
