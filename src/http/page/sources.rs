//! How the sources and the instances are, for the overview.

use maud::{Markup, html};
use serde_json::Value;

use super::heard;
use super::parts::{address, nothing, stranger, time, time_or};
use crate::gate::{InstanceView, JobView, SourceView};

/// How each source is: heard of, called, compared, subscribed.
pub(super) fn health(sources: &[SourceView], jobs: &[JobView]) -> Markup {
    html! {
        div.cards-row {
            @for source in sources { (one(source, jobs)) }
        }
        @if sources.is_empty() {
            (nothing("There is no source.", "Write one into the settings: nothing can come in."))
        }
    }
}

fn one(source: &SourceView, jobs: &[JobView]) -> Markup {
    let health = &source.health;
    let name = health.name.as_str();
    html! {
        section.card {
            h3 { a href=(address("/bookings", &[("source", Some(name))])) { (stranger(name)) } }
            dl.facts {
                div { dt { "Last webhook" } dd {
                    @match &health.last_delivery {
                        Some(last) => {
                            (time(last.received_at))
                            @if let Some(trigger) = &last.trigger { " " span.muted { (stranger(trigger)) } }
                        },
                        None => { span.muted { "none lately" } },
                    }
                } }
                @if let Some(since) = health.failing_since {
                    div { dt { "Provider" } dd {
                        span.badge.bad { "failing" } " since " (time(since)) ": calls wait until it answers again"
                        @if let Some(next) = source.looks_again_at { "; looked at next " (time(next)) }
                    } }
                }
                @if !source.verified {
                    div { dt { "Signatures" } dd { span.badge.bad { "not checked" } } }
                }
                div { dt { "Last call" } dd {
                    @match &health.last_call {
                        Some(call) => {
                            @let (class, text) = heard::result(call.result);
                            (time(call.started_at)) " " span.badge.(class) { (text) }
                        },
                        None => { span.muted { "none lately" } },
                    }
                } }
                (compared(name, jobs))
                (subscribed(name, jobs))
            }
        }
    }
}

/// What reconciliation last found of a source.
fn compared(source: &str, jobs: &[JobView]) -> Markup {
    let job = jobs.iter().find(|job| job.name == "reconcile");
    html! {
        @if let Some(job) = job {
            @let reports = job.report.as_ref().and_then(|report| report.get("sources"));
            div { dt { "Compared" } dd {
                @match reports.and_then(|reports| reports.get(source)) {
                    Some(note) => { (report(note)) " " },
                    None => { span.muted { "not yet " } },
                }
                @if let Some(ended) = job.ended_at { span.muted { (time(ended)) } }
            } }
        }
    }
}

fn report(note: &Value) -> Markup {
    let count = |name: &str| note.get(name).and_then(Value::as_i64).unwrap_or(0);
    let failed = note.get("failed").and_then(Value::as_str);
    html! {
        @if let Some(failed) = failed {
            span.badge.bad { "failed" } " " (stranger(failed))
        } @else {
            (count("checked")) " checked, " (count("repaired")) " put right, " (count("deferred")) " left"
        }
    }
}

/// How a source's webhook subscription was found.
fn subscribed(source: &str, jobs: &[JobView]) -> Markup {
    let job = jobs.iter().find(|job| job.name == "subscriptions");
    let found = job.and_then(|job| Some((job, job.report.as_ref()?.get(source)?)));
    let Some((job, note)) = found else {
        return html! {};
    };
    let is = |name: &str| note.get(name).and_then(Value::as_bool);
    let failing = note.get("failing_since").and_then(Value::as_str);
    html! {
        div { dt { "Subscription" } dd {
            @match (note.get("failed").and_then(Value::as_str), is("subscribed"), is("active")) {
                (Some(why), _, _) => { span.badge.bad { "could not be looked at" } " " (stranger(why)) },
                (_, Some(false), _) => { span.badge.bad { "there is none: nothing comes in" } },
                (_, _, Some(false)) => { span.badge.bad { "disabled: nothing comes in" } },
                _ => { span.badge.good { "active" } },
            }
            @if let Some(since) = failing { " " span.badge.open { "webhooks fail since " (since) } }
            " " span.muted { (time_or(job.ended_at, "")) }
        } }
    }
}

/// The daemons on this database.
pub(super) fn instances(instances: &[InstanceView]) -> Markup {
    html! {
        table.cards {
            caption.away { "Daemons on this database" }
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Machine" } th scope="col" { "Version" }
                th scope="col" { "Started" } th scope="col" { "Last seen" } th scope="col" { "State" }
            } }
            tbody {
                @for one in instances {
                    tr {
                        td data-label="Name" { (one.id) }
                        td data-label="Machine" { (stranger(&one.host)) }
                        td data-label="Version" { (one.version) }
                        td data-label="Started" { (time(one.started_at)) }
                        td data-label="Last seen" { (time(one.seen_at)) }
                        td data-label="State" {
                            @if one.alive { span.badge.good { "alive" } }
                            @else { span.badge.over { "gone; its work was taken over" } }
                        }
                    }
                }
            }
        }
    }
}
