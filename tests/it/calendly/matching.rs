//! Policies find their bookings by whatever Calendly calls an event type, by answers, and by where the
//! booker came from.

use bookgate::standin::calendly::{Options, Tracking};
use serde_json::Value;

use super::plain;
use crate::harness::{Installation, Setup, run_test_on_file};

/// Refuses all that it is for, and a policy that takes everything else.
fn refusing(matching: &str, criterion: &str) -> Setup {
    let wanted = format!(
        "schema = 1\n[policy]\nid = \"special\"\npriority = 10\n[match]\n{matching}\n[[criterion]]\nid = \"asked\"\n{criterion}\n"
    );
    let other = "schema = 1\n[policy]\nid = \"other\"\n[[criterion]]\nid = \"short\"\nkind = \"length\"\nmax = \"8h\"\n";
    Setup {
        policies: vec![("special.toml", wanted), ("other.toml", other.to_owned())],
        ..plain()
    }
}

const NEVER: &str = "kind = \"length\"\nmax = \"1m\"";

async fn policy_of(it: &Installation, event_type: &str, hours: i64) -> Value {
    let request = it.calendly_request(event_type, hours);
    let booked = it.calendly().book(request).await.unwrap();
    it.settle().await;
    it.calendly_booking(&booked).await["decisions"][0]["policy"].clone()
}

#[tokio::test]
async fn an_event_type_has_many_names() {
    let coaching = &Options::default().event_types[1];
    let id = coaching.uuid.as_str();
    for name in [
        format!("https://api.calendly.com/event_types/{id}"),
        id.to_owned(),
        "coaching".to_owned(),
        "Coaching hour".to_owned(),
    ] {
        let setup = refusing(&format!("event_types = [{name:?}]"), NEVER);
        run_test_on_file(setup, async |it: &mut Installation| {
            assert_eq!(policy_of(it, "coaching", 72).await, "special", "{name}");
            assert_eq!(policy_of(it, "intro", 80).await, "other", "{name}");
            assert_eq!(it.calendly_effects().len(), 1);
        })
        .await;
    }
}

#[tokio::test]
async fn an_event_type_is_asked_for_once() {
    let setup = refusing("event_types = [\"coaching\"]", NEVER);
    run_test_on_file(setup, async |it: &mut Installation| {
        for hours in [72, 76, 80] {
            assert_eq!(policy_of(it, "intro", hours).await, "other");
        }
        let calls = it.calendly().calls();
        let asked = calls
            .iter()
            .filter(|call| call.path.starts_with("/event_types/"));
        assert_eq!(asked.count(), 1);
        let read = calls.iter().filter(|call| call.path.contains("/invitees/"));
        assert_eq!(read.count(), 1, "later ones need no look at all");
    })
    .await;
}

#[tokio::test]
async fn answers_are_asked_by_their_question() {
    let criterion =
        "kind = \"answer\"\nfield = \"Company\"\nequals = \"Acme\"\nmessage = \"Only for Acme.\"";
    let setup = refusing("event_types = [\"coaching\"]", criterion);
    run_test_on_file(setup, async |it: &mut Installation| {
        let mut comes = Vec::new();
        for (company, hours) in [("acme", 72), ("Other Ltd", 76)] {
            let mut request = it.calendly_request("coaching", hours);
            request.answers = vec![company.to_owned(), "Plans".to_owned()];
            let booked = it.calendly().book(request).await.unwrap();
            it.settle().await;
            let row = it.calendly().invitee(&booked.uuid).unwrap();
            comes.push((it.comes(&booked), row.cancellation.and_then(|it| it.reason)));
        }
        let refused = (false, Some("Only for Acme.".to_owned()));
        assert_eq!(comes, [(true, None), refused]);
    })
    .await;
}

#[tokio::test]
async fn policies_may_ask_where_the_booker_came_from() {
    let setup = refusing("metadata = { utm_source = \"newsletter\" }", NEVER);
    run_test_on_file(setup, async |it: &mut Installation| {
        let mut policies = Vec::new();
        for (source, hours) in [(Some("newsletter"), 72), (Some("web"), 76), (None, 80)] {
            let mut request = it.calendly_request("intro", hours);
            request.tracking = Tracking {
                source: source.map(str::to_owned),
                ..Tracking::default()
            };
            let booked = it.calendly().book(request).await.unwrap();
            it.settle().await;
            let seen = it.calendly_booking(&booked).await;
            policies.push(seen["decisions"][0]["policy"].clone());
        }
        assert_eq!(policies, ["special", "other", "other"]);
    })
    .await;
}
