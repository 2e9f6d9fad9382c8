//! What only shows when all policies are seen together.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::codes::Code;
use super::super::compiled::{Mode, Policy, Role};
use super::super::diagnostic::Diagnostic;
use super::super::lists::REMOTE_LISTS_MAX;
use super::super::text::{nearest, quote, quote_all};

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

/// The list of a server with which there are too many.
pub(super) fn remote_lists(policies: &[Arc<Policy>]) -> Option<Diagnostic> {
    let mut urls = BTreeSet::new();
    let lists = policies.iter().flat_map(|policy| {
        policy
            .lists
            .iter()
            .map(move |(url, list)| (policy, url, list))
    });
    for (policy, url, list) in lists {
        let Some(span) = &list.of_server else {
            continue;
        };
        urls.insert(url);
        if urls.len() > REMOTE_LISTS_MAX {
            let message =
                format!("the policies name more than {REMOTE_LISTS_MAX} lists of servers");
            let wrong = Diagnostic::new(&policy.source, Code::TooMany, span.clone(), message);
            return Some(wrong.help("have the servers put some of them together"));
        }
    }
    None
}

/// Policies in shadow that would take a place that there is not. `policies` are all there are.
pub(super) fn shadows(policies: &[Arc<Policy>]) -> Vec<Diagnostic> {
    let watched = policies.iter();
    let watched = watched.filter(|policy| policy.mode == Mode::Shadow);
    let wrong = watched.filter_map(|policy| {
        let of = policy.shadow_of.as_ref()?;
        let name = quote(&of.value);
        let found = policies.iter().find(|other| *other.id == *of.value);
        let wrong = |message: String| {
            let span = of.span.clone();
            Diagnostic::new(&policy.source, Code::ShadowOfNobody, span, message)
        };
        match found {
            Some(other) if other.id == policy.id => {
                let help = "name the policy whose place it would take, or leave `shadow_of` out";
                Some(wrong(format!("`{}` cannot take its own place", policy.id)).help(help))
            }
            Some(other) if other.role != policy.role => {
                let message = format!("{name} is of another kind");
                let help =
                    "a guardrail takes a guardrail's place, a deciding policy a deciding one's";
                Some(wrong(message).help(help))
            }
            Some(_) => None,
            None => {
                let names = policies.iter().map(|other| &*other.id);
                let names: Vec<&str> = names.filter(|name| **name != *policy.id).collect();
                let known = format!("known: {}", quote_all(names.iter().copied()));
                let diagnostic = wrong(format!("there is no policy {name}")).help(known);
                Some(match nearest(&of.value, names.iter().copied()) {
                    Some(meant) => {
                        let text = format!("did you mean `{meant}`?");
                        diagnostic.suggest(of.span.clone(), text, format!("\"{meant}\""))
                    }
                    None => diagnostic,
                })
            }
        }
    });
    wrong.collect()
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
