//! The policies in force.

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::frame::{self, Viewer};
use super::parts::{nothing, stranger, time};
use super::trace::question;
use crate::gate::{PoliciesView, PolicyOrigin, PolicyView};
use crate::http::App;

/// Signs of a fingerprint that are shown; the rest is in its title.
const FINGERPRINT_CHARS: usize = 12;

pub(super) async fn show(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
) -> Html<String> {
    let set = app.gate.policies();
    let body = html! {
        h1 { "Policies" }
        p.lead {
            (set.policies.len()) (if set.policies.len() == 1 { " policy" } else { " policies" }) ", loaded " (time(set.loaded_at)) " by this daemon, fingerprint "
            (fingerprint(&set.hash)) ". All tests in their files passed: policies that fail one are not loaded."
        }
        (last_attempt(&set))
        @if set.policies.is_empty() {
            (nothing("No policy is loaded, so each booking is left to a person.",
                "Put a policy into the policies' folder; `bookgate policy check` tests it."))
        }
        @for policy in &set.policies { (one(policy)) }
    };
    frame::page(Some(&viewer), "Policies", &body)
}

/// What came of reading the folder last, where there is something to say.
fn last_attempt(set: &PoliciesView) -> Markup {
    let attempt = &set.last_attempt;
    html! {
        @if attempt.is_refused() {
            p.problem role="alert" {
                "The policies in the folder are wrong and were refused " (time(attempt.at)) ". "
                @match set.loaded_from {
                    PolicyOrigin::Folder => { "Those below were in force before and go on." },
                    PolicyOrigin::LastGood => { "This daemon was started on those below, the last ones without an error." },
                }
            }
        }
        @if let Some(report) = &attempt.report {
            details open[attempt.is_refused()] {
                summary { @if attempt.is_refused() { "What is wrong" } @else { "Hints" } }
                pre tabindex="0" { (report) }
            }
        }
    }
}

fn fingerprint(hash: &str) -> Markup {
    let short = hash.get(..FINGERPRINT_CHARS).unwrap_or(hash);
    html! { code title=(hash) { (short) } }
}

fn word(value: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn one(policy: &PolicyView) -> Markup {
    let (role, mode) = (word(&policy.role), word(&policy.mode));
    html! {
        section.card {
            h2 { (stranger(&policy.title)) }
            p {
                @match mode.as_str() {
                    "enforce" => { span.badge.good { "in force" } },
                    "shadow" => { span.badge.open { "only watched" } },
                    _ => { span.badge.over { "switched off" } },
                } " "
                @match role.as_str() {
                    "guardrail" => { span.badge.over { "guardrail: can only refuse" } },
                    _ => { span.badge.over { "decides" } },
                }
            }
            @if let Some(description) = &policy.description { p { (stranger(description)) } }
            dl.facts {
                div { dt { "Applies to" } dd { (applies_to(policy)) } }
                @if let Some(price) = &policy.price { div { dt { "Price" } dd { (price) } } }
                div { dt { "Asks" } dd {
                    @if policy.criteria.is_empty() { "nothing: it accepts every booking" }
                    @if !policy.criteria.is_empty() {
                        ul.plain {
                            @for criterion in &policy.criteria {
                                li { (question(criterion.kind)) " " span.fine { (stranger(&criterion.id)) } }
                            }
                        }
                    }
                } }
                @if let Some(owner) = &policy.owner { div { dt { "Ask about it" } dd { (stranger(owner)) } } }
                @if let Some(zone) = &policy.time_zone { div { dt { "Time zone" } dd { (zone) } } }
                div { dt { "File" } dd { code { (policy.file) } } }
                div { dt { "Fingerprint" } dd { (fingerprint(&policy.hash)) } }
            }
        }
    }
}

fn applies_to(policy: &PolicyView) -> Markup {
    let conditions = [
        ("event type", &policy.event_types),
        ("source", &policy.sources),
        ("metadata", &policy.metadata),
    ];
    let named = conditions.iter().filter(|(_, values)| !values.is_empty());
    let named: Vec<String> = named
        .map(|(name, values)| format!("{name} {}", values.join(" or ")))
        .collect();
    html! {
        @if named.is_empty() { "every booking" } @else { (stranger(&named.join("; "))) }
    }
}
