//! The kinds of criteria: one file and one line each.

mod account;
mod answer;
mod attendees;
mod borrow;
mod credit;
mod email_domain;
mod hours;
mod length;
mod listed;
mod location;
mod manual;
mod metadata;
mod notice;
mod risk;
mod routing;
mod sample;
#[cfg(test)]
mod tests;
mod window;
mod wording;

use super::criterion::CriterionKind;

/// All kinds, by name.
pub const KINDS: &[&dyn CriterionKind] = &[
    &account::Kind,
    &listed::ALLOW,
    &answer::Kind,
    &attendees::Kind,
    &credit::Kind,
    &listed::DENY,
    &email_domain::Kind,
    &length::Kind,
    &location::Kind,
    &manual::Kind,
    &metadata::Kind,
    &notice::Kind,
    &risk::Kind,
    &routing::Kind,
    &sample::Kind,
    &borrow::Kind,
    &window::Kind,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn CriterionKind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
