//! Joins policies that use groups of others, each behind those it borrows from, and runs the tests of
//! all: a policy is only whole with what it borrows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::canonical;
use super::super::codes::Code;
use super::super::compiled::Policy;
use super::super::diagnostic::{Diagnostic, Sink};
use super::super::reader::At;
use super::super::text::{nearest, quote, quote_all};
use super::order;
use super::selftest::{self, SelfTest};

/// A policy as it stands in its file, and its tests.
pub(super) struct Draft {
    pub(super) policy: Policy,
    pub(super) tests: Vec<SelfTest>,
}

/// Joins and tests all drafts. `complete` is whether every file has given one: only then it is certain
/// that a policy does not exist.
pub(super) fn join(drafts: Vec<Draft>, complete: bool) -> (Vec<Arc<Policy>>, Vec<Diagnostic>) {
    let (mut done, mut found) = (BTreeMap::new(), Vec::new());
    let mut policies: Vec<Arc<Policy>> = Vec::with_capacity(drafts.len());
    let mut waiting = drafts;
    loop {
        let before = waiting.len();
        let (ready, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|draft| {
            let mut lenders = lenders(&draft.policy);
            lenders.all(|lender| done.contains_key(lender))
        });
        waiting = others;
        for draft in ready {
            let (policy, said) = finish(draft, &done);
            found.extend(said);
            if let Some(policy) = policy.map(Arc::new) {
                done.entry(policy.id.to_string())
                    .or_insert_with(|| Arc::clone(&policy));
                policies.push(policy);
            }
        }
        if waiting.len() == before {
            break;
        }
    }
    let complete = complete && !found.iter().any(Diagnostic::is_error);
    if complete {
        found.extend(
            waiting
                .iter()
                .map(|draft| stuck(&draft.policy, &waiting, &done)),
        );
    }
    (policies, found)
}

fn lenders(policy: &Policy) -> impl Iterator<Item = &str> {
    let borrowed = policy
        .rules
        .iter()
        .filter_map(|rule| rule.criterion.borrows());
    borrowed.map(|borrowed| borrowed.policy.value.as_str())
}

fn finish(draft: Draft, done: &BTreeMap<String, Arc<Policy>>) -> (Option<Policy>, Vec<Diagnostic>) {
    let Draft { mut policy, tests } = draft;
    let sink = Sink::new(Arc::clone(&policy.source));
    let mut hashes = Vec::new();
    for rule in &mut policy.rules {
        let Some(borrowed) = rule.criterion.borrowed() else {
            continue;
        };
        // Everybody whom it borrows from is there, or it would not be its turn.
        let Some(lender) = done.get(&borrowed.policy.value) else {
            continue;
        };
        hashes.push(lender.hash);
        if !borrowed.join(lender) {
            let names: Vec<&str> = lender.groups.keys().map(String::as_str).collect();
            let what = format!("the policy {} has no group", quote(&lender.id));
            sink.add(unknown(&sink, &what, &borrowed.group, &names));
        }
    }
    if !hashes.is_empty() {
        policy.hash = canonical::joined(policy.hash, &hashes);
        order::settle_stages(&mut policy.rules, &policy.order, policy.waive_if.as_ref());
    }
    if !sink.has_errors() {
        selftest::run(&policy, &tests, &sink);
    }
    let whole = !sink.has_errors();
    (whole.then_some(policy), sink.into_items())
}

/// Why a policy's turn never came: it borrows from one that does not exist, or in a ring.
fn stuck(policy: &Policy, waiting: &[Draft], done: &BTreeMap<String, Arc<Policy>>) -> Diagnostic {
    let sink = Sink::new(Arc::clone(&policy.source));
    let names = waiting.iter().map(|draft| &*draft.policy.id);
    let names: Vec<&str> = names.chain(done.keys().map(String::as_str)).collect();
    let mut borrowed = policy
        .rules
        .iter()
        .filter_map(|rule| rule.criterion.borrows());
    match borrowed.find(|borrowed| !names.contains(&borrowed.policy.value.as_str())) {
        Some(borrowed) => unknown(&sink, "there is no policy", &borrowed.policy, &names),
        None => {
            let message = format!("`{}` waits for itself", policy.id);
            let help = "it uses a group of its own, or of a policy that uses one of it, maybe through others; within a policy a group's name is enough";
            sink.at(Code::Cycle, policy.id_span.clone(), message)
                .help(help)
        }
    }
}

fn unknown(sink: &Sink, what: &str, name: &At<String>, known: &[&str]) -> Diagnostic {
    let message = format!("{what} {}", quote(&name.value));
    let help = match known {
        [] => "groups are defined under `[groups]`".to_owned(),
        _ => format!("known: {}", quote_all(known.iter().copied())),
    };
    let diagnostic = sink
        .at(Code::UnknownGroup, name.span.clone(), message)
        .help(help);
    match nearest(&name.value, known.iter().copied()) {
        Some(meant) => {
            let text = format!("did you mean `{meant}`?");
            diagnostic.suggest(name.span.clone(), text, format!("\"{meant}\""))
        }
        None => diagnostic,
    }
}
