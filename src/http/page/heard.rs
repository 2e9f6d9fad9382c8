//! What came from the provider, and what was told to it, in plain words.

use crate::domain::booking::Party;
use crate::domain::chain::AttemptResult;
use crate::domain::event::EventKind;
use crate::gate::FactView;

/// What a fact says.
pub(super) fn fact(fact: &FactView) -> String {
    let status = fact.status.unwrap_or("unknown").replace('_', " ");
    match (fact.kind, fact.event) {
        ("event", Some(EventKind::NoShow)) if fact.taken_back => {
            "Somebody who was said not to have come did come".to_owned()
        }
        ("event", Some(kind)) => event(kind, fact.by).to_owned(),
        ("reading", _) => format!("Asked at the provider: the booking is {status}"),
        ("missing", _) => "Asked at the provider: it shows no such booking".to_owned(),
        _ => format!("Details were removed, as old ones are; the booking was {status}"),
    }
}

fn event(kind: EventKind, by: Option<Party>) -> &'static str {
    match (kind, by) {
        (EventKind::Requested, _) => "The booker asks for this appointment",
        (EventKind::Created, _) => "The appointment stands at the provider",
        (EventKind::Rescheduled, Some(Party::Host)) => "The host moves it to another time",
        (EventKind::Rescheduled, Some(Party::Booker)) => "The booker moves it to another time",
        (EventKind::Rescheduled, None) => "It is moved to another time",
        (EventKind::Moved, _) => "Another booking takes its place",
        (EventKind::Reassigned, _) => "Another host takes it over",
        (EventKind::LocationUpdated, _) => "It takes place elsewhere",
        (EventKind::NoShow, _) => "Somebody did not come",
        (EventKind::Rejected, _) => "It is declined at the provider",
        (EventKind::Cancelled, Some(Party::Booker)) => "The booker calls it off",
        (EventKind::Cancelled, Some(Party::Host)) => "The host calls it off",
        (EventKind::Cancelled, None) => "It is called off",
        (EventKind::PaymentInitiated, _) => "It waits for a payment at the provider",
        (EventKind::Paid, _) => "It was paid for at the provider",
    }
}

/// How a call ended, and how that looks.
pub(super) fn result(result: Option<AttemptResult>) -> (&'static str, &'static str) {
    match result {
        Some(AttemptResult::Ok) => ("good", "done"),
        Some(AttemptResult::Settled) => ("good", "done, as was seen later: no answer came"),
        Some(AttemptResult::NotNeeded) => ("good", "nothing was left to do"),
        Some(AttemptResult::Limited) => ("open", "the provider asked for patience"),
        Some(AttemptResult::Transient) => ("open", "did not work"),
        Some(AttemptResult::Rejected) => ("bad", "refused by the provider"),
        Some(AttemptResult::Unknown) => (
            "open",
            "no answer: the booking is read before anything else",
        ),
        None => ("open", "under way"),
    }
}
