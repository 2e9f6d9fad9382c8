//! What a policy means, as bytes to be hashed: keys in order, values by type, nothing of comments,
//! formatting and tests. Files of lists count with their entries.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use super::compiled::PolicyHash;
use super::lists::ListFile;

/// Names the form, so that a later change of it cannot be mistaken for a change of policies.
const FORM: &[u8] = b"bookgate policy 1\n";
/// The section that does not count.
const TESTS: &str = "test";

/// The hash of a parsed policy and the lists it read, by path.
pub(super) fn hash(root: &DeTable<'_>, lists: &BTreeMap<String, ListFile>) -> PolicyHash {
    let mut hasher = Sha256::new();
    hasher.update(FORM);
    table(&mut hasher, root, |key| key != TESTS);
    for (path, file) in lists {
        text(&mut hasher, b'f', path);
        hasher.update(file.digest.0);
    }
    PolicyHash(hasher.finalize().into())
}

/// The hash of a policy that uses groups of others.
pub(super) fn joined(own: PolicyHash, lenders: &[PolicyHash]) -> PolicyHash {
    let mut hasher = Sha256::new();
    hasher.update(FORM);
    hasher.update(own.0);
    for lender in lenders {
        hasher.update(lender.0);
    }
    PolicyHash(hasher.finalize().into())
}

fn table(hasher: &mut Sha256, entries: &DeTable<'_>, counts: impl Fn(&str) -> bool) {
    let mut entries: Vec<(&str, &DeValue<'_>)> = entries
        .iter()
        .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()))
        .filter(|(key, _)| counts(key))
        .collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    length(hasher, b't', entries.len());
    for (key, inner) in entries {
        text(hasher, b'k', key);
        value(hasher, inner);
    }
}

fn value(hasher: &mut Sha256, written: &DeValue<'_>) {
    match written {
        DeValue::String(string) => text(hasher, b's', string),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            let plain = number.map_or_else(|_| integer.to_string(), |number| number.to_string());
            text(hasher, b'i', &plain);
        }
        DeValue::Float(float) => text(hasher, b'd', float.as_str()),
        DeValue::Boolean(boolean) => length(hasher, b'b', usize::from(*boolean)),
        DeValue::Datetime(moment) => text(hasher, b'm', &moment.to_string()),
        DeValue::Array(items) => {
            length(hasher, b'a', items.len());
            for item in items.iter() {
                value(hasher, item.get_ref());
            }
        }
        DeValue::Table(entries) => table(hasher, entries, |_| true),
    }
}

fn text(hasher: &mut Sha256, tag: u8, text: &str) {
    length(hasher, tag, text.len());
    hasher.update(text);
}

fn length(hasher: &mut Sha256, tag: u8, length: usize) {
    hasher.update([tag]);
    hasher.update((length as u64).to_be_bytes());
}
