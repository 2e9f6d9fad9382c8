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
mod window;
mod wording;

use super::criterion::CriterionKind;

/// All kinds, by name.
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
    &window::Kind,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn CriterionKind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
