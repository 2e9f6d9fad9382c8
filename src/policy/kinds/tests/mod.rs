//! Every kind, through a policy file of its own.

mod booking;
mod expr;
mod http;
mod others;
mod people;
mod window;

use crate::domain::booking::{Answer, Host};
use crate::domain::decision::Outcome;
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;
use crate::policy::kinds::KINDS;
use crate::policy::template::Template;
use crate::policy::tests::{booking, decide, facts, policies};
use crate::policy::{AccountFacts, AccountStatus, Facts, Loaded, TraceResult};

const DAY_MS: i64 = 86_400_000;

/// What a criterion with these keys says, and its facts as `name=value`.
fn ask(kind: &str, keys: &str, facts: &Facts) -> (TraceResult, String) {
    ask_in("Europe/Berlin", kind, keys, facts)
}

fn ask_in(zone: &str, kind: &str, keys: &str, facts: &Facts) -> (TraceResult, String) {
    let text = format!(
        "schema = 1\n[policy]\nid = \"p\"\ntimezone = \"{zone}\"\n[credits]\ncost = {{ base = \"2\" }}\n\
         [[criterion]]\nid = \"c\"\nkind = \"{kind}\"\n{keys}\n"
    );
    let verdict = decide(&policies(&[&text]), facts);
    let seen = &verdict.trace.criteria[0];
    let facts: Vec<String> = seen
        .facts
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (seen.result, facts.join(" "))
}

fn passes(kind: &str, keys: &str, facts: &Facts) -> bool {
    match ask(kind, keys, facts).0 {
        TraceResult::Pass => true,
        TraceResult::Fail => false,
        other => panic!("{kind} {keys}: {other:?}"),
    }
}

fn by(email: &str) -> Facts {
    let mut facts = facts();
    facts.details.booker.email = Owner::parse(email).ok();
    facts
}

#[test]
fn examples_parse_and_default_messages_use_what_is_offered() {
    for kind in KINDS {
        Template::parse(kind.default_message(), kind.placeholders()).unwrap();
        // Needs another policy.
        if kind.name() == "use" {
            continue;
        }
        let mut facts = booking("2026-03-05T18:00:00Z", 15);
        facts.account = Loaded::Known(None);
        facts.details.hosts = vec![Host::default()];
        let (result, values) = ask(kind.name(), kind.example(), &facts);
        let known = kind.name() != "manual";
        assert_eq!(result != TraceResult::Unknown, known, "{}", kind.name());
        // Those have something to say of other bookings where there are some.
        if ["account", "duplicate", "min-gap", "reputation"].contains(&kind.name()) {
            continue;
        }
        for placeholder in kind.placeholders() {
            assert!(
                values.contains(&format!("{placeholder}=")),
                "{} {placeholder}: {values}",
                kind.name()
            );
        }
    }
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn notice_is_measured_from_the_provider_s_time_to_the_start() {
    // The ordinary booking is 72 hours ahead.
    for (keys, met) in [
        ("min = \"72h\"", true),
        ("min = \"72h1s\"", false),
        ("max = \"3d\"", true),
        ("max = \"71h59m59s\"", false),
        ("min = \"1h\"\nmax = \"30d\"", true),
    ] {
        assert_eq!(passes("notice", keys, &facts()), met, "{keys}");
    }
    let (_, values) = ask("notice", "min = \"4d\"\nmax = \"60d\"", &facts());
    assert_eq!(values, "max=60 days min=4 days notice=3 days");
}

/// The ordinary booking is made on a Monday at 10:00 in Berlin, for Thursday at the same time.
#[test]
fn notice_may_count_open_hours_only() {
    let office =
        "business_hours = { days = [\"mon\", \"tue\", \"thu\"], from = 09:00:00, until = 17:00:00";
    for (hours, open) in [
        (format!("{office} }}"), 7 + 8 + 1),
        (format!("{office}, except = [2026-03-03] }}"), 7 + 1),
        (
            "business_hours = { from = 22:00:00, until = 02:00:00 }".to_owned(),
            12,
        ),
        ("business_hours = { only = [2026-03-04] }".to_owned(), 24),
    ] {
        assert!(
            passes("notice", &format!("min = \"{open}h\"\n{hours}"), &facts()),
            "{hours}"
        );
        assert!(
            !passes("notice", &format!("min = \"{open}h1s\"\n{hours}"), &facts()),
            "{hours}"
        );
    }
    let (_, values) = ask("notice", &format!("min = \"3d\"\n{office} }}"), &facts());
    assert_eq!(values, "min=3 days notice=16 hours");
    let mut far = facts();
    far.details.start = "9999-12-30T00:00:00Z".parse().unwrap();
    assert!(passes(
        "notice",
        &format!("min = \"10h\"\n{office} }}"),
        &far
    ));
    far.details.start = "2020-01-01T00:00:00Z".parse().unwrap();
    assert!(!passes(
        "notice",
        &format!("min = \"1s\"\n{office} }}"),
        &far
    ));
}

#[test]
fn length() {
    let hour = facts();
    for (keys, met) in [
        ("min = \"60m\"", true),
        ("min = \"61m\"", false),
        ("max = \"1h\"", true),
        ("max = \"59m\"", false),
        ("any_of = [\"30m\", \"60m\"]", true),
        ("any_of = [\"30m\", \"90m\"]", false),
    ] {
        assert_eq!(passes("length", keys, &hour), met, "{keys}");
    }
}

#[test]
fn account() {
    let mut facts = facts();
    facts.account = Loaded::Known(None);
    assert!(!passes("account", "", &facts));
    assert!(passes("account", "exists = false", &facts));
    let created_at = crate::domain::clock::plus_ms(facts.now, -10 * DAY_MS);
    facts.account = Loaded::Known(Some(AccountFacts {
        status: AccountStatus::Frozen,
        created_at,
        balances: Default::default(),
    }));
    for (keys, met) in [
        ("", false),
        ("exists = false", false),
        ("status = [\"open\", \"frozen\"]", true),
        ("status = [\"frozen\"]\nage_min = \"10d\"", true),
        ("status = [\"frozen\"]\nage_min = \"11d\"", false),
    ] {
        assert_eq!(passes("account", keys, &facts), met, "{keys}");
    }
    assert_eq!(
        ask("account", "", &facts).1,
        "since=20 February 2026 status=frozen"
    );
    facts.account = Loaded::Failed("gone".to_owned());
    assert_eq!(ask("account", "", &facts).0, TraceResult::Unknown);
}

#[test]
fn credit_may_have_its_own_price_and_unit() {
    let mut facts = facts();
    facts.account = Loaded::Known(None);
    assert!(!passes("credit", "", &facts));
    assert!(
        passes("credit", "cost = \"0\"", &facts),
        "what is free needs no account"
    );
    let mut account = AccountFacts {
        status: AccountStatus::Open,
        created_at: facts.now,
        balances: Default::default(),
    };
    for (unit, available) in [("CREDIT", 199), ("SEAT", 3)] {
        let balance = crate::policy::Balance {
            posted: available,
            held: 0,
            available,
            limit: 0,
        };
        account.balances.insert(unit.try_into().unwrap(), balance);
    }
    facts.account = Loaded::Known(Some(account.clone()));
    assert_eq!(
        ask("credit", "", &facts).1,
        "available=1.99 cost=2 held=0 missing=0.01"
    );
    let unit = "CREDIT".try_into().unwrap();
    let mut limited = account.clone();
    limited.balances.get_mut(&unit).unwrap().limit = 100;
    let limited = Facts {
        account: Loaded::Known(Some(limited)),
        ..facts.clone()
    };
    assert!(passes("credit", "cost = \"1.99\"", &limited));
    assert_eq!(
        ask("credit", "cost = \"1\"\nallow_limit = false", &limited).1,
        "available=0.99 cost=1 held=0 missing=0.01"
    );
    for (keys, met) in [
        ("", false),
        ("cost = \"1.99\"", true),
        ("unit = \"SEAT\"\ncost = \"3\"", true),
        ("unit = \"SEAT\"\ncost = \"4\"", false),
    ] {
        assert_eq!(passes("credit", keys, &facts), met, "{keys}");
    }
    account.status = AccountStatus::Frozen;
    facts.account = Loaded::Known(Some(account));
    assert!(
        !passes("credit", "cost = \"1\"", &facts),
        "a frozen account holds nothing"
    );
}

#[test]
fn email_domain() {
    for (email, keys, met) in [
        (
            "ada@a.example",
            "allow = { domains = [\"a.example\"] }",
            true,
        ),
        (
            "ada@x.a.example",
            "allow = { domains = [\"a.example\"] }",
            false,
        ),
        (
            "ada@x.a.example",
            "allow = { domains = [\"*.a.example\"] }",
            true,
        ),
        (
            "ada@bücher.example",
            "allow = { domains = [\"BÜCHER.example\"] }",
            true,
        ),
        (
            "ada@evila.example",
            "allow = { domains = [\"*.a.example\", \"a.example\"] }",
            false,
        ),
        (
            "ada@a.example",
            "deny = { domains = [\"a.example\"] }",
            false,
        ),
        (
            "ada@b.example",
            "deny = { domains = [\"a.example\"] }",
            true,
        ),
        ("ada@gmail.com", "free_mail = \"deny\"", false),
        ("ada@b.example", "free_mail = \"deny\"", true),
    ] {
        assert_eq!(
            passes("email-domain", keys, &by(email)),
            met,
            "{email} {keys}"
        );
    }
    let mut facts = by("ada@a.example");
    facts.details.guests = vec![Owner::parse("eve@b.example").unwrap()];
    let allow = "allow = { domains = [\"a.example\"] }";
    assert!(passes("email-domain", allow, &facts));
    let every = format!("{allow}\nwho = \"every-attendee\"");
    assert_eq!(
        ask("email-domain", &every, &facts),
        (TraceResult::Fail, "domain=b.example".to_owned())
    );
    facts.details.booker.email = None;
    assert_eq!(ask("email-domain", allow, &facts).0, TraceResult::Unknown);
}

#[test]
fn lists_allow_and_deny() {
    let list = "list = { emails = [\"a.da@x.example\"], domains = [\"y.example\"], names = [\"Eve  Mallory\"] }\n";
    for (email, keys, listed) in [
        ("A.Da@X.example", "", true),
        ("ada@x.example", "", false),
        ("ada@x.example", "normalize = [\"dots\"]", true),
        ("a.da+1@x.example", "", false),
        ("a.da+1@x.example", "normalize = [\"plus-tag\"]", true),
        (
            "ad.a+1@x.example",
            "normalize = [\"plus-tag\", \"dots\"]",
            true,
        ),
        ("who@y.example", "", true),
        ("who@y.example", "on = [\"email\"]", false),
    ] {
        let keys = format!("{list}{keys}");
        assert_eq!(
            passes("allow-list", &keys, &by(email)),
            listed,
            "{email} {keys}"
        );
        assert_eq!(
            passes("deny-list", &keys, &by(email)),
            !listed,
            "{email} {keys}"
        );
    }
    let mut eve = by("");
    eve.details.booker.name = " eve MALLORY".to_owned();
    assert!(!passes(
        "deny-list",
        &format!("{list}on = [\"name\", \"email\"]"),
        &eve
    ));
    assert_eq!(ask("deny-list", list, &eve).0, TraceResult::Unknown);
    let numbers = "on = [\"phone\"]\nlist = [\"+44 20 7946 0000\", \"spam.example\"]";
    assert_eq!(ask("deny-list", numbers, &eve).0, TraceResult::Unknown);
    for (phone, listed) in [("0044 (20) 7946 0000", true), ("+44 20 7946 0001", false)] {
        eve.details.booker.phone = Phone::parse(phone).ok();
        assert_eq!(passes("allow-list", numbers, &eve), listed, "{phone}");
    }
    assert!(passes(
        "deny-list",
        "list = { file = \"empty.txt\" }",
        &facts()
    ));
    assert!(!passes(
        "deny-list",
        "list = { file = \"blocked.txt\" }",
        &by("x@spam.example")
    ));
}

#[test]
fn answers() {
    let with = |answer: Option<Answer>| {
        let mut facts = facts();
        facts
            .details
            .answers
            .extend(answer.map(|answer| ("f".to_owned(), answer)));
        facts
    };
    let text = |text: &str| with(Some(Answer::Text(text.to_owned())));
    let many = |texts: &[&str]| {
        with(Some(Answer::Many(
            texts.iter().map(|t| (*t).to_owned()).collect(),
        )))
    };
    for (facts, keys, met) in [
        (with(None), "", false),
        (text("   "), "", false),
        (text("x"), "", true),
        (with(None), "required = false\nequals = \"a\"", true),
        (text(" Ja "), "equals = \"ja\"", true),
        (text("nein"), "equals = \"ja\"", false),
        (text("B"), "one_of = [\"a\", \"b\"]", true),
        (many(&["a", "c"]), "one_of = [\"a\", \"b\"]", false),
        (many(&["a", "b"]), "one_of = [\"a\", \"b\"]", true),
        (text("AB12"), "matches = '^[A-Z]{2}[0-9]{2}$'", true),
        (text("AB123"), "matches = '^[A-Z]{2}[0-9]{2}$'", false),
        (text("äöü"), "min_chars = 3\nmax_chars = 3", true),
        (text("äöü"), "min_chars = 4", false),
        (text("äöü"), "max_chars = 2", false),
    ] {
        let keys = format!("field = \"f\"\n{keys}");
        assert_eq!(passes("answer", &keys, &facts), met, "{keys}");
    }
    let mut notes = facts();
    notes.details.notes = Some("about pensions".to_owned());
    assert!(passes("answer", "field = \"notes\"\nmin_chars = 5", &notes));
    let huge = text(&"a".repeat(20_000));
    assert_eq!(
        ask("answer", "field = \"f\"\nmatches = 'a'", &huge).0,
        TraceResult::Unknown
    );
}

#[test]
fn a_refusal_in_a_default_message_names_numbers_and_no_list() {
    let text = "schema = 1\n[policy]\nid = \"p\"\nshow = \"all\"\n[[criterion]]\nid = \"a\"\nkind = \"length\"\nmax = \"30m\"\n\
                [[criterion]]\nid = \"b\"\nkind = \"deny-list\"\nlist = { emails = [\"ada@example.org\"] }\n";
    let verdict = decide(&policies(&[text]), &facts());
    assert_eq!(verdict.outcome, Outcome::Reject);
    assert_eq!(
        verdict.message.as_deref(),
        Some("An appointment of 60 minutes cannot be booked here. We cannot accept this booking.")
    );
}
