//! What waits: for a person, for a provider, for a receiver; and how everything is.

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::booking::decision_forms;
use super::bookings::table;
use super::frame::{self, Viewer};
use super::parts::{booking_link, nothing, owner_link, stranger, time, time_or};
use super::{dead_letters, sources};
use crate::domain::decision::Outcome;
use crate::gate::{DeadLetterView, Health, LettersAsked, NoticeView, NoticesAsked, WaitingView};
use crate::http::App;
use crate::http::auth::Role;
use crate::http::problem::Problem;

/// Rows shown of each list: what waits longest, or begins first.
const SHOWN_MAX: u32 = 20;

pub(super) async fn show(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Html<String>, Problem> {
    let desk = app.gate.desk();
    let waiting = desk.waiting(Some(SHOWN_MAX)).await?;
    let in_hand = desk.in_hand(Some(SHOWN_MAX)).await?;
    let (undecided, untold): (Vec<_>, Vec<_>) = in_hand
        .into_iter()
        .filter(|line| line.outcome != Some(Outcome::Defer))
        .partition(|line| line.outcome.is_none());
    let letters = desk
        .dead_letters(LettersAsked::default(), None, Some(SHOWN_MAX))
        .await?;
    let notices = NoticesAsked {
        limit: Some(SHOWN_MAX),
        ..NoticesAsked::default()
    };
    let notices = desk.notices(notices).await?.items;
    let late: Vec<_> = notices
        .into_iter()
        .filter(|notice| notice.tries > 0)
        .collect();
    let (all, jobs) = (app.gate.sources().await?, desk.jobs().await?.items);
    let instances = app.gate.instances().await?.items;
    let body = html! {
        h1 { "What waits" }
        (degraded(app.gate.health().await))
        h2 #deciding { "For a person " (count(waiting.len())) }
        (for_person(&viewer, &waiting))
        h2 { "Dead letters " (count(letters.items.len())) }
        (dead(&letters.items))
        @if !late.is_empty() {
            h2 { "Notices that do not arrive " (count(late.len())) }
            (notices_table(&late))
        }
        h2 { "Not decided yet " (count(undecided.len())) }
        @if undecided.is_empty() {
            (nothing("Every booking is decided.", ""))
        } @else {
            (table(&undecided, "Bookings that are being worked on, or wait to be tried again"))
        }
        @if !untold.is_empty() {
            h2 { "Decided, and not done yet " (count(untold.len())) }
            (table(&untold, "Bookings whose provider is to be told, now or when it is tried again"))
        }
        h2 { "Sources" }
        (sources::health(&all, &jobs))
        h2 { "Daemons" }
        (sources::instances(&instances))
    };
    Ok(frame::page(Some(&viewer), "What waits", &body))
}

fn count(shown: usize) -> Markup {
    let all = shown >= SHOWN_MAX as usize;
    html! { span.count { (shown) @if all { "+" } } }
}

fn degraded(health: Health) -> Markup {
    html! {
        @match health {
            Health::Ok => {},
            Health::Degraded => {
                p.problem role="alert" { "Webhooks are taken, but the store or the journal is in trouble, or " a href="/policies" { "policies" } " were \
                    refused: the log says which." }
            },
            Health::Down => {
                p.problem role="alert" { "Webhooks cannot be stored and are refused: the log says why." }
            },
        }
    }
}

fn for_person(viewer: &Viewer, waiting: &[WaitingView]) -> Markup {
    html! {
        @if waiting.is_empty() {
            (nothing("Nothing waits for a person.", "What the policies leave open appears here."))
        } @else {
            ul.letters {
                @for one in waiting { li.card { (waiting_card(viewer, one)) } }
            }
            @if waiting.len() >= SHOWN_MAX as usize {
                p { a href="/bookings?outcome=defer" { "All bookings that were left to a person" } }
            }
        }
    }
}

fn waiting_card(viewer: &Viewer, waiting: &WaitingView) -> Markup {
    let line = &waiting.line;
    html! {
        p { strong { (time_or(line.start, "At an unknown time")) } " · "
            (stranger(line.event_type.as_deref().unwrap_or("unknown event type"))) " · "
            @match &line.booker {
                Some(owner) => { (owner_link(owner.as_str())) },
                None => { "nobody named" },
            }
        }
        @if let Some(why) = &waiting.why { p { "Why: " (stranger(why)) "." } }
        p.fine { "Booking " (booking_link(line)) " of " (stranger(line.source.as_str()))
            ", waits since " (time(waiting.since)) }
        @if viewer.may(Role::Admin) { (decision_forms(viewer, line, Some("waiting"), false)) }
    }
}

fn dead(letters: &[DeadLetterView]) -> Markup {
    html! {
        @if letters.is_empty() {
            (nothing("There are no dead letters.", ""))
        } @else {
            ul.letters {
                @for letter in letters { li.card { (dead_letters::line(letter)) } }
            }
            p { a href="/dead-letters" { "Try them again, or lay them aside" } }
        }
    }
}

fn notices_table(notices: &[NoticeView]) -> Markup {
    html! {
        table.cards {
            caption.away { "Notices that were tried and not taken, oldest first" }
            thead { tr {
                th scope="col" { "Receiver" } th scope="col" { "Written" } th.number scope="col" { "Tries" }
                th scope="col" { "Next" } th scope="col" { "What came of it" }
            } }
            tbody {
                @for notice in notices {
                    tr {
                        td data-label="Receiver" { (stranger(&notice.receiver)) }
                        td data-label="Written" { (time(notice.created_at)) }
                        td.number data-label="Tries" { (notice.tries) }
                        td data-label="Next" {
                            @match notice.due_at {
                                Some(due) => { (time(due)) },
                                None => { span.badge.bad { "given up" } },
                            }
                        }
                        td data-label="What came of it" {
                            (stranger(notice.detail.as_deref().unwrap_or("nothing is known")))
                        }
                    }
                }
            }
        }
    }
}
