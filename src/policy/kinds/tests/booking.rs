//! The kinds that look at nothing but the booking.

use proptest::prelude::*;

use super::{ask, by, passes};
use crate::domain::booking::{Answer, Host};
use crate::domain::decision::Outcome;
use crate::domain::ids::Uid;
use crate::domain::owner::Owner;
use crate::policy::tests::{decide, facts, policies};
use crate::policy::{Facts, TraceResult};

fn with_guests(count: usize) -> Facts {
    let mut facts = facts();
    let guest = |number| Owner::parse(&format!("guest-{number}@b.example")).unwrap();
    facts.details.guests = (0..count).map(guest).collect();
    facts
}

#[test]
fn attendees_are_the_booker_and_the_guests() {
    for (guests, keys, met) in [
        (0, "max = 1", true),
        (1, "max = 1", false),
        (1, "min = 2", true),
        (0, "min = 2", false),
        (0, "domains = [\"example.org\"]", true),
        (1, "domains = [\"example.org\"]", false),
        (
            1,
            "domains = [\"example.org\", \"b.example\"]\nmax = 2",
            true,
        ),
        (
            2,
            "domains = [\"example.org\", \"b.example\"]\nmax = 2",
            false,
        ),
    ] {
        assert_eq!(
            passes("attendees", keys, &with_guests(guests)),
            met,
            "{keys}"
        );
    }
    let keys = "min = 1\nmax = 2\ndomains = { domains = [\"example.org\"] }";
    let (_, values) = ask("attendees", keys, &with_guests(2));
    assert_eq!(values, "count=3 domain=b.example max=2 min=1");
    assert_eq!(ask("attendees", keys, &by("")).0, TraceResult::Unknown);
    assert!(
        passes("attendees", "max = 2", &by("")),
        "the count needs no address"
    );
}

#[test]
fn location_has_several_names() {
    let at = |location: Option<&str>, answer: Option<Answer>| {
        let mut facts = facts();
        facts.details.location = location.map(str::to_owned);
        let answers = answer.map(|answer| ("location".to_owned(), answer));
        facts.details.answers.extend(answers);
        facts
    };
    let zoom = at(Some("https://us02web.Zoom.us/j/1"), None);
    let chosen = ["attendeeInPerson", "Rantakatu 3"].map(str::to_owned);
    let street = at(Some("Rantakatu 3"), Some(Answer::Many(chosen.to_vec())));
    let nowhere = at(None, None);
    for (facts, keys, met) in [
        (&zoom, "one_of = \"https://*.zoom.us/*\"", true),
        (&zoom, "one_of = \"https://*.zoom.us\"", false),
        (&zoom, "deny = [\"*zoom*\"]", false),
        (&zoom, "one_of = [\"zoom\"]", false),
        (&street, "one_of = [\"ATTENDEEINPERSON\"]", true),
        (&street, "one_of = [\"rantakatu 3\"]", true),
        (&street, "one_of = [\"rantakatu\"]", false),
        (&street, "one_of = [\"*\"]\ndeny = [\"attendee*\"]", false),
        (&nowhere, "one_of = [\"*\"]", false),
        (&nowhere, "deny = [\"*\"]", true),
    ] {
        assert_eq!(passes("location", keys, facts), met, "{keys}");
    }
    assert_eq!(
        ask("location", "one_of = [\"x\"]", &nowhere).1,
        "location=none"
    );
}

#[test]
fn metadata() {
    let with = |value: Option<&str>| {
        let mut facts = facts();
        let entry = value.map(|value| ("plan".to_owned(), value.to_owned()));
        facts.details.metadata.extend(entry);
        facts
    };
    for (value, keys, met) in [
        (None, "", false),
        (Some(" "), "", false),
        (Some("x"), "", true),
        (None, "required = false\nequals = \"a\"", true),
        (Some(" Team "), "equals = \"team\"", true),
        (Some("teams"), "equals = \"team\"", false),
        (Some("B"), "one_of = [\"a\", \"b\"]", true),
        (Some("a1"), "matches = '^[a-z][0-9]$'", true),
        (Some("a12"), "matches = '^[a-z][0-9]$'", false),
    ] {
        let keys = format!("key = \"plan\"\n{keys}");
        assert_eq!(
            passes("metadata", &keys, &with(value)),
            met,
            "{value:?} {keys}"
        );
    }
    let (_, values) = ask("metadata", "key = \"plan\"", &with(Some("a\nb")));
    assert_eq!(values, "key=plan value=a b");
    let huge = with(Some(&"a".repeat(20_000)));
    let keys = "key = \"plan\"\nmatches = 'a'";
    assert_eq!(ask("metadata", keys, &huge).0, TraceResult::Unknown);
}

#[test]
fn manual_leaves_it_to_a_person() {
    let text = |more: &str| {
        format!(
            "schema = 1\n[policy]\nid = \"p\"\n{more}\n[[criterion]]\nid = \"look\"\nkind = \"manual\"\n"
        )
    };
    let verdict = decide(&policies(&[&text("")]), &facts());
    assert_eq!(verdict.outcome, Outcome::Defer);
    assert_eq!(verdict.note.as_deref(), Some("look asks for a person"));
    let noted = format!("{}note = \"Ask the chair\"\n", text(""));
    let verdict = decide(&policies(&[&noted]), &facts());
    assert_eq!(verdict.note.as_deref(), Some("Ask the chair"));
    let verdict = decide(&policies(&[&text("on_unknown = \"reject\"")]), &facts());
    assert_eq!(
        verdict.message.as_deref(),
        Some("This booking has to be looked at by a person.")
    );
}

fn sampled(uid: &str, keys: &str) -> bool {
    let mut facts = facts();
    facts.uid = Uid::new(uid);
    passes("sample", keys, &facts)
}

#[test]
fn a_sample_is_always_the_same() {
    let in_it = |keys: &str| -> Vec<usize> {
        (0..40)
            .filter(|n| sampled(&format!("b-{n}"), keys))
            .collect()
    };
    // What is hashed is promised: this may not change.
    assert_eq!(in_it("percent = 10"), [6, 11, 14, 21, 24, 34]);
    assert!(in_it("percent = 0").is_empty());
    assert_eq!(in_it("percent = 100").len(), 40);
    assert_ne!(
        in_it("percent = 10\nsalt = \"other\""),
        in_it("percent = 10")
    );
    let wider = in_it("percent = 30");
    assert!(in_it("percent = 10").iter().all(|n| wider.contains(n)));
}

#[test]
fn a_moved_booking_stays_in_the_sample() {
    let mut moved = facts();
    moved.uid = Uid::new("b-0");
    moved.origin = Some(Uid::new("b-6"));
    assert!(!sampled("b-0", "percent = 10"));
    assert!(passes("sample", "percent = 10", &moved));
}

#[test]
fn routing_knows_a_host_by_address_user_name_or_id() {
    let mut facts = facts();
    assert_eq!(
        ask("routing", "host = \"ada\"", &facts).0,
        TraceResult::Unknown
    );
    facts.details.hosts = vec![
        Host {
            email: Owner::parse("aino@sauna.example").ok(),
            username: Some("aino".to_owned()),
            id: Some("12".to_owned()),
        },
        Host {
            id: Some("Abc".to_owned()),
            ..Host::default()
        },
    ];
    for (host, met) in [
        ("\"Aino@Sauna.example\"", true),
        ("\"AINO\"", true),
        ("12", true),
        ("[\"nobody\", \"abc\"]", true),
        ("\"ain\"", false),
        ("[13, \"eve@sauna.example\"]", false),
    ] {
        assert_eq!(
            passes("routing", &format!("host = {host}"), &facts),
            met,
            "{host}"
        );
    }
    assert_eq!(ask("routing", "host = 13", &facts).1, "host=aino");
}

#[test]
fn risk_names_the_signals() {
    let keys = "disposable = [\"bin.example\", \"*.bin.example\"]\nlinks_max = 1\nmixed_scripts = \"deny\"";
    let told = |facts: &Facts| ask("risk", keys, facts).1;
    assert_eq!(told(&facts()), "signal=none");
    assert_eq!(told(&by("x@a.bin.example")), "signal=disposable address");
    let mut worse = by("x@bin.example");
    worse.details.booker.name = "Аda".to_owned(); // a Cyrillic А
    worse.details.notes = Some("See www.x.example and https://www.y.example".to_owned());
    assert_eq!(
        told(&worse),
        "signal=disposable address, links, mixed scripts"
    );
    assert_eq!(ask("risk", keys, &by("")).0, TraceResult::Unknown);

    let named = |name: &str| {
        let mut facts = facts();
        facts.details.booker.name = name.to_owned();
        passes("risk", "mixed_scripts = \"deny\"", &facts)
    };
    for name in [
        "Ада Лавлейс (Ada Lovelace)",
        "王小明 Wang",
        "Müller-Łuk",
        "",
    ] {
        assert!(named(name), "{name}");
    }
    assert!(!named("Ada Lоvelace"), "a Cyrillic о");
}

#[test]
fn links_are_counted_in_all_that_the_booker_wrote_once() {
    let mut facts = facts();
    let passes = |facts: &Facts, max: usize| passes("risk", &format!("links_max = {max}"), facts);
    let notes = "http://a.example WWW.b.example, xwww.c.example".to_owned();
    facts.details.notes = Some(notes.clone());
    facts
        .details
        .answers
        .insert("notes".to_owned(), Answer::Text(notes));
    let place = Answer::Text("https://meet.example".to_owned());
    facts.details.answers.insert("location".to_owned(), place);
    assert!(passes(&facts, 2) && !passes(&facts, 1));
    let more = Answer::Many(vec!["ftp://d.example".to_owned()]);
    facts.details.answers.insert("more".to_owned(), more);
    assert!(passes(&facts, 3) && !passes(&facts, 2));
}

proptest! {
    /// Whatever strangers write, and whatever an author asks of it.
    #[test]
    fn no_text_of_a_stranger_panics(text in any::<String>(), place in "[a-z*:/.é]{0,12}", uid in any::<String>()) {
        let mut facts = facts();
        facts.uid = Uid::new(uid);
        let details = &mut facts.details;
        details.booker.name.clone_from(&text);
        details.notes = Some(text.clone());
        details.location = Some(text.clone());
        details.metadata.insert("k".to_owned(), text.clone());
        details.hosts = vec![Host { username: Some(text), ..Host::default() }];
        for (kind, keys) in [
            ("risk", "links_max = 1\nmixed_scripts = \"deny\"".to_owned()),
            ("location", format!("deny = [\"{place}\"]")),
            ("metadata", "key = \"k\"\nmatches = 'a'".to_owned()),
            ("routing", "host = \"x\"".to_owned()),
            ("sample", "percent = 50".to_owned()),
        ] {
            ask(kind, &keys, &facts);
        }
    }
}
