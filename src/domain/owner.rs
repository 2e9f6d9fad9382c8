//! The one place where an e-mail address becomes the owner of an account.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest address taken, in bytes (RFC 5321 §4.5.3.1.3 allows 254 in a path).
pub const OWNER_BYTES_MAX: usize = 254;

/// A normalised e-mail address: trimmed, lower case, the domain in its ASCII (IDN) form. Two
/// spellings of one address are one owner; plus-tags and dots are kept, because only the mailbox's
/// own provider knows what they mean.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Owner(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an e-mail address: one @ with a name before it and a domain behind it, at most 254 bytes"
)]
pub struct NotAnAddress;

impl Owner {
    /// Normalises an address.
    ///
    /// # Errors
    /// The text has no name, no domain, white space inside, or is too long.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnAddress)?;
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if local.is_empty() || local.contains(odd) || domain.contains(odd) || local.contains('@') {
            return Err(NotAnAddress);
        }
        let domain = idna::domain_to_ascii(domain).map_err(|_| NotAnAddress)?;
        let address = format!("{}@{domain}", local.to_lowercase());
        // Some signs become a blank and another one.
        if domain.is_empty()
            || domain.contains(odd)
            || domain.contains('@')
            || address.len() > OWNER_BYTES_MAX
        {
            return Err(NotAnAddress);
        }
        Ok(Self(address))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the @, in ASCII.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl TryFrom<String> for Owner {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        Self::parse(&text)
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one_owner() {
        for text in ["Ada@Example.ORG", "  ada@example.org ", "ADA@example.org"] {
            assert_eq!(Owner::parse(text).unwrap().as_str(), "ada@example.org");
        }
        assert_eq!(
            Owner::parse("zoe@Bücher.example").unwrap().as_str(),
            "zoe@xn--bcher-kva.example"
        );
    }

    #[test]
    fn other_texts_are_not_owners() {
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a da@x.org",
            "a@b@c",
            "a@b\u{0}c",
            "a@b\u{fe72}.org",
            "a@b\u{fe6b}c.org",
        ] {
            assert!(Owner::parse(text).is_err(), "{text:?}");
        }
        assert!(Owner::parse(&format!("{}@x.org", "a".repeat(260))).is_err());
    }
}
