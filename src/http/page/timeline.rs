//! A booking's story on one time line: what was heard, decided, held, told and said.

use maud::{Markup, html};

use super::heard;
use super::parts::{action, exact_time, outcome, owner_link, stranger};
use super::trace::trace;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::gate::{BookingView, ChangeView, CommandView, DecisionView, EntryView, FactView};

/// Something that happened. What happened at one time is told in the order in which one leads to the next.
struct Moment {
    at: Timestamp,
    order: u8,
    sort: &'static str,
    label: &'static str,
    body: Markup,
}

/// The whole story, oldest first. `changes` are those that people made to this booking.
pub(super) fn timeline(booking: &BookingView, changes: &[ChangeView]) -> Markup {
    let many = booking.chain.len() > 1;
    let about = |unit: &str| html! { @if many { span.fine { " " (stranger(unit)) } } };
    let mut moments: Vec<Moment> = Vec::new();
    moments.extend(
        booking
            .heard
            .iter()
            .map(|fact| heard(fact, &about(&fact.unit))),
    );
    moments.extend(changes.iter().filter_map(said));
    moments.extend(
        booking
            .decisions
            .iter()
            .map(|one| decided(one, &about(&one.unit))),
    );
    moments.extend(movements(&booking.entries));
    for call in &booking.calls {
        moments.extend(called(call, &about(&call.unit)));
    }
    moments.sort_by_key(|moment| (moment.at, moment.order));
    html! {
        ol.timeline {
            @for moment in &moments {
                li.(moment.sort) {
                    p.when { (exact_time(moment.at)) " " span.label { (moment.label) } }
                    (moment.body)
                }
            }
        }
    }
}

fn heard(fact: &FactView, about: &Markup) -> Moment {
    Moment {
        at: fact.at,
        order: 0,
        sort: "heard",
        label: "heard",
        body: html! {
            p { (heard::fact(fact)) "." (about) }
            @if let Some(reason) = fact.reason.as_deref().filter(|reason| !reason.is_empty()) {
                blockquote { (stranger(reason)) }
            }
        },
    }
}

/// What people did here, beside deciding: that stands under its decision.
fn said(change: &ChangeView) -> Option<Moment> {
    let text = match change.action.as_str() {
        "dead_letter.retry" => "had a dead letter tried again",
        "dead_letter.retry_forced" => {
            "had a dead letter tried again although the booking had begun"
        }
        "dead_letter.purge" => "laid a dead letter aside for good",
        _ => return None,
    };
    Some(Moment {
        at: change.at,
        order: 1,
        sort: "person",
        label: "person",
        body: html! {
            p { strong { (stranger(&change.actor)) } " " (text) "." }
            @if let Some(detail) = &change.detail { p.fine { (stranger(detail)) } }
        },
    })
}

fn decided(decision: &DecisionView, about: &Markup) -> Moment {
    Moment {
        at: decision.decided_at,
        order: 2,
        sort: "decided",
        label: "decided",
        body: html! {
            p { (outcome(Some(decision.outcome))) " " (by_whom(decision)) (about) }
            @if let Some(message) = &decision.message {
                p { "The booker is told:" }
                blockquote { (stranger(message)) }
            }
            @if let Some(note) = &decision.note {
                p { "Note: " (stranger(note)) "." }
            }
            @if let (Some(cost), Some(unit)) = (&decision.cost, &decision.unit_of_cost) {
                p { "Price: " (cost) " " (unit) "." }
            }
            @for shadow in &decision.shadows {
                p {
                    "Only watched: the policy " strong { (stranger(&shadow.policy)) } " would have said "
                    (outcome(Some(shadow.outcome)))
                    @if !shadow.failed.is_empty() {
                        " because of " (stranger(&shadow.failed.join(", ")))
                    } "."
                }
            }
            (trace(decision))
            p.fine {
                "Decision " (decision.id) ", round " (decision.round) ", bookgate " (decision.engine)
            }
        },
    }
}

fn by_whom(decision: &DecisionView) -> Markup {
    let policy = decision.policy.as_deref();
    if decision.outcome == Outcome::Defer {
        return html! {
            @if let Some(policy) = policy { "The policy asked was " strong { (stranger(policy)) } "." }
        };
    }
    html! {
        @match (decision.decided_by.as_str(), policy) {
            ("policy", Some(policy)) => { "by the policy " strong { (stranger(policy)) } "." },
            ("policy", None) => { "because no policy speaks for it." },
            ("host", _) => { "because the host confirmed it by hand." },
            ("carried", _) => { "because the host moved what had been accepted before." },
            (by, _) => {
                "by " strong { (stranger(by.strip_prefix("person:").unwrap_or(by))) }
                ", a person."
            },
        }
    }
}

/// What happened to credit: one moment for each transaction, however many lines it has.
fn movements(entries: &[EntryView]) -> Vec<Moment> {
    let mut moments = Vec::new();
    for lines in entries.chunk_by(|a, b| a.txn == b.txn) {
        let line = lines.iter().find(|line| line.layer == "posted");
        let Some(line) = line.or(lines.first()) else {
            continue;
        };
        let amount = line.amount.trim_start_matches('-');
        let (text, after) = match line.kind.as_str() {
            "hold" => ("set aside", "until the provider has confirmed"),
            "capture" => ("spent", "for the booking"),
            "release" => ("free again", "since the booking does not stand"),
            "refund" => ("given back", "by the terms of the policy"),
            "reverse" => ("taken again", "since the booker did come"),
            "carry" => ("taken along", "to the booking's new time"),
            _ => ("moved", ""),
        };
        moments.push(Moment {
            at: line.recorded_at,
            order: if line.kind == "hold" { 3 } else { 5 },
            sort: "credit",
            label: "credit",
            body: html! { p { strong { (amount) " " (line.unit) } " " (text) " " (after) "." } },
        });
    }
    moments
}

fn called(call: &CommandView, about: &Markup) -> Vec<Moment> {
    let attempts = call.attempts.iter().map(|attempt| {
        let (class, text) = heard::result(attempt.result);
        Moment {
            at: attempt.started_at,
            order: 4,
            sort: "called",
            label: "told",
            body: html! {
                p {
                    "The provider is asked to " strong { (action(call.action)) }
                    @if attempt.number > 1 { " (attempt " (attempt.number) ")" }
                    ". " span.badge.(class) { (text) } (about)
                }
                @if let Some(detail) = &attempt.detail {
                    p.fine {
                        (stranger(detail))
                    }
                }
            },
        }
    });
    attempts.collect()
}

/// Whose credit pays, above the line.
pub(super) fn holds(booking: &BookingView) -> Markup {
    html! {
        @if !booking.holds.is_empty() {
            div.scroll {
                table {
                    caption { "Credit" }
                    thead {
                        tr {
                            th scope="col" { "Account" }
                            th.number scope="col" { "Set aside" }
                            th.number scope="col" { "Spent" }
                            th.number scope="col" { "Freed" }
                            th.number scope="col" { "Given back" }
                        }
                    }
                    tbody {
                        @for hold in &booking.holds {
                            tr {
                                td { (owner_link(hold.owner.as_str())) }
                                td.number { (hold.amount) }
                                td.number { (hold.captured) }
                                td.number { (hold.released) }
                                td.number { (hold.refunded) }
                            }
                        }
                    }
                }
            }
        }
    }
}
