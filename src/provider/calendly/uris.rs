//! Calendly names everything by URI. Host and prefix vary (`https://api.calendly.com/…`,
//! `https://calendly.com/api/v2/…`), so only the ids at the end count.

use crate::domain::ids::Uid;
use crate::provider::lenient::is_id;

/// What stands between the event's id and the invitee's in a booking's id; neither has it in it.
const BETWEEN: char = '.';

/// A booking is one invitee of one scheduled event: `EVENT.INVITEE`. Both are needed to ask for it.
/// `None` if the URI is not `…/scheduled_events/EVENT/invitees/INVITEE`.
pub(super) fn booking(uri: &str) -> Option<Uid> {
    let mut segments = segments(uri)?.rev();
    let invitee = segments.next().filter(|id| is_part(id))?;
    segments.next().filter(|name| *name == "invitees")?;
    let event = segments.next().filter(|id| is_part(id))?;
    segments.next().filter(|name| *name == "scheduled_events")?;
    Some(Uid::new(format!("{event}{BETWEEN}{invitee}")))
}

/// The ids of event and invitee in a booking's id.
pub(super) fn parts(uid: &Uid) -> Option<(&str, &str)> {
    uid.as_str().split_once(BETWEEN)
}

/// What the ids of all bookings of an event begin with.
pub(super) fn prefix(event: &str) -> String {
    format!("{event}{BETWEEN}")
}

/// The id that a URI ends with, if it names something of this collection: `…/event_types/ID`.
pub(super) fn id<'u>(uri: &'u str, collection: &str) -> Option<&'u str> {
    let mut segments = segments(uri)?.rev();
    let id = segments.next().filter(|id| is_part(id))?;
    segments.next().filter(|name| *name == collection)?;
    Some(id)
}

/// The path's segments. Neither query nor fragment belongs to a name.
fn segments(uri: &str) -> Option<std::str::Split<'_, char>> {
    let (_, rest) = uri.trim().split_once("://")?;
    let path = rest.split(['?', '#']).next()?;
    Some(path.trim_end_matches('/').split('/'))
}

fn is_part(text: &str) -> bool {
    is_id(text) && !text.contains(BETWEEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ids_of_a_booking_count() {
        let expected = Uid::new("E-1.I-2");
        for uri in [
            "https://api.calendly.com/scheduled_events/E-1/invitees/I-2",
            "https://calendly.com/api/v2/scheduled_events/E-1/invitees/I-2/",
            " http://localhost:81/scheduled_events/E-1/invitees/I-2?x=y#z ",
        ] {
            assert_eq!(booking(uri).as_ref(), Some(&expected), "{uri}");
        }
        assert_eq!(parts(&expected), Some(("E-1", "I-2")));
        for odd in [
            "",
            "E-1",
            "https://api.calendly.com/scheduled_events/E-1",
            "https://api.calendly.com/scheduled_events/E-1/invitees/",
            "https://api.calendly.com/scheduled_events/E.1/invitees/I-2",
            "https://api.calendly.com/events/E-1/invitees/I-2",
            "https://api.calendly.com/scheduled_events/../invitees/%2e",
        ] {
            assert_eq!(booking(odd), None, "{odd}");
        }
    }

    #[test]
    fn other_things_are_named_by_the_last_id() {
        let uri = "https://api.calendly.com/event_types/T1";
        assert_eq!(id(uri, "event_types"), Some("T1"));
        assert_eq!(id(uri, "users"), None);
    }
}
