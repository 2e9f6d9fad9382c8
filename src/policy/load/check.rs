//! What only shows when all policies are seen together.

use std::sync::Arc;

use super::super::codes::Code;
use super::super::compiled::{Mode, Policy, Role};
use super::super::diagnostic::Diagnostic;

/// Policies with the same id, and policies that claim the same bookings with the same rank.
pub(super) fn across(policies: &[Arc<Policy>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (index, second) in policies.iter().enumerate() {
        for first in &policies[..index] {
            if first.id == second.id {
                let message = format!("two policies are called `{}`", second.id);
                found.push(
                    twice(Code::DuplicatePolicy, first, second, message)
                        .help("decisions are stored under this id, so every policy needs its own"),
                );
            } else if ties(first, second) {
                let message = format!(
                    "`{}` and `{}` claim the same bookings with the same rank",
                    second.id, first.id
                );
                found.push(twice(Code::Tie, first, second, message).help(
                    "give one of them a higher `priority`, or describe its bookings more closely in `[match]`",
                ));
            }
        }
    }
    found
}

fn ties(first: &Policy, second: &Policy) -> bool {
    let decides = |policy: &Policy| policy.role == Role::Deciding && policy.mode == Mode::Enforce;
    decides(first)
        && decides(second)
        && first.rank() == second.rank()
        && first.matching.overlaps(&second.matching)
}

fn twice(code: Code, first: &Policy, second: &Policy, message: String) -> Diagnostic {
    Diagnostic::new(&second.source, code, second.id_span.clone(), message).relate(
        &first.source,
        first.id_span.clone(),
        "the other one is here",
    )
}
