//! The kinds of criteria: one file and one line each.

mod account;
mod answer;
mod attendees;
mod borrow;
mod capacity;
mod concurrent;
mod counting;
mod credit;
mod duplicate;
mod email_domain;
mod expr;
mod history;
mod hours;
pub(super) mod http;
pub(super) mod invite_code;
mod length;
mod listed;
mod location;
mod manual;
mod metadata;
mod min_gap;
mod notice;
mod period;
mod quota;
mod reputation;
mod risk;
mod routing;
mod sample;
mod tag;
#[cfg(test)]
mod tests;
mod verified_email;
mod window;
mod wording;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::criterion::CriterionKind;
use super::text::is_id;

/// The kinds there are in this crate, by name.
pub const KINDS: &[&dyn CriterionKind] = &[
    &account::Kind,
    &listed::ALLOW,
    &answer::Kind,
    &attendees::Kind,
    &capacity::Kind,
    &concurrent::Kind,
    &credit::Kind,
    &listed::DENY,
    &duplicate::Kind,
    &quota::TIME,
    &email_domain::Kind,
    &expr::Kind,
    &history::Kind,
    &http::Kind,
    &invite_code::Kind,
    &length::Kind,
    &location::Kind,
    &manual::Kind,
    &metadata::Kind,
    &min_gap::Kind,
    &notice::Kind,
    &quota::BOOKINGS,
    &reputation::Kind,
    &risk::Kind,
    &routing::Kind,
    &sample::Kind,
    &tag::Kind,
    &borrow::Kind,
    &verified_email::Kind,
    &window::Kind,
];

/// Kinds of others, from outside of this crate.
static ADDED: OnceLock<Vec<&'static dyn CriterionKind>> = OnceLock::new();

/// A kind cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// Kinds are added once, all together: two daemons in one process would have the same.
    #[error("kinds were added already; add all of them together, once")]
    Twice,
    /// Its name could become that of a kind of bookgate's own, or cannot be written.
    #[error(
        "a kind of your own is called like `acme/loyalty`: lower-case letters, digits and hyphens on both sides of a slash; not {0:?}"
    )]
    BadName(&'static str),
    /// Two kinds have the same name.
    #[error("two kinds are called {0:?}")]
    SameName(&'static str),
}

/// Adds kinds of your own, for the whole process, before any policy is read. They stand in policies, in the
/// schema for editors and in diagnostics like all others. `tests/extension.rs` is a daemon with such a kind.
///
/// # Errors
/// They were added before, or one is not called like `acme/loyalty`; then none is added.
pub fn add(kinds: &[&'static dyn CriterionKind]) -> Result<(), AddError> {
    let mut names = BTreeSet::new();
    for kind in kinds.iter().map(|kind| kind.name()) {
        let parts = kind.split_once('/').map(|(house, name)| [house, name]);
        if !parts.is_some_and(|parts| parts.iter().all(|part| is_id(part))) {
            return Err(AddError::BadName(kind));
        }
        if !names.insert(kind) {
            return Err(AddError::SameName(kind));
        }
    }
    ADDED.set(kinds.to_vec()).map_err(|_| AddError::Twice)
}

/// All kinds: bookgate's own, and those that were added.
pub fn all() -> impl Iterator<Item = &'static dyn CriterionKind> {
    let added = ADDED.get().into_iter().flatten();
    KINDS.iter().chain(added).copied()
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn CriterionKind> {
    all().find(|kind| kind.name() == name)
}
