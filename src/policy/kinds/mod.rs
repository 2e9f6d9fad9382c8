//! The kinds of criteria: one file and one line each.

mod account;
mod answer;
mod credit;
mod email_domain;
mod length;
mod listed;
mod notice;
#[cfg(test)]
mod tests;
mod window;

use super::criterion::CriterionKind;

/// All kinds, by name.
pub const KINDS: &[&dyn CriterionKind] = &[
    &account::Kind,
    &listed::ALLOW,
    &answer::Kind,
    &credit::Kind,
    &listed::DENY,
    &email_domain::Kind,
    &length::Kind,
    &notice::Kind,
    &window::Kind,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn CriterionKind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
