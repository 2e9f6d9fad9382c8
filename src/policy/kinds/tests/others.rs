//! Kinds that count other bookings, by tests inside policies: so what tests can be given is tested, too.

use crate::policy::tests::{facts, load_texts, policies};
use crate::policy::{Evaluation, Facts, Loaded, Need, PolicySet};

/// Loads a policy with one criterion; its tests have to pass.
pub(super) fn holds(zone: &str, criterion: &str, tests: &str) -> PolicySet {
    policies(&[&text(zone, criterion, tests)])
}

fn text(zone: &str, criterion: &str, tests: &str) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"p\"\ntimezone = \"{zone}\"\n[match]\nevent_types = [\"mentoring\"]\n\
         [[criterion]]\nid = \"c\"\n{criterion}\n{tests}"
    )
}

/// A test: made on 20 May 2026 at 06:00 UTC, of an hour from `start` on, beside these bookings.
fn case(name: &str, start: &str, given: &str, expect: &str) -> String {
    format!(
        "[[test]]\nname = \"{name}\"\nnow = 2026-05-20T06:00:00Z\n\
         booking = {{ email = \"ada@a.example\", start = {start} }}\n\
         given = {{ bookings = [{given}] }}\nexpect = {{ {expect} }}\n"
    )
}

pub(super) const ACCEPT: &str = "decision = \"accept\"";
pub(super) const REJECT: &str = "decision = \"reject\"";

fn refused(message: &str) -> String {
    format!("decision = \"reject\", failed = [\"c\"], message = \"{message}\"")
}

#[test]
fn a_quota_of_the_calendar_counts_in_the_policy_s_zone() {
    let two = "{ start = 2026-05-04T06:00:00Z }, { start = 2026-05-12T06:00:00Z }";
    let message = "2 of 2 for May 2026, again from 1 June 2026";
    holds(
        "Asia/Kolkata",
        "kind = \"quota\"\nlimit = 2\nper = \"calendar-month\"\n\
         message = \"{used} of {limit} for {period}, again from {resets}\"",
        &[
            case("third", "2026-05-28T06:00:00Z", two, &refused(message)),
            case("June there", "2026-05-31T19:30:00Z", two, ACCEPT),
            case("still May there", "2026-05-31T18:29:59Z", two, REJECT),
            case(
                "second",
                "2026-05-28T06:00:00Z",
                "{ start = 2026-05-04T06:00:00Z }",
                ACCEPT,
            ),
        ]
        .concat(),
    );
    for (per, inside, outside, words) in [
        (
            "day",
            "2026-05-27T00:00:00Z",
            "2026-05-26T23:59:59Z",
            "27 May 2026",
        ),
        (
            "week",
            "2026-05-31T23:59:59Z",
            "2026-06-01T00:00:00Z",
            "the week of 25 May 2026",
        ),
        (
            "quarter",
            "2026-04-01T00:00:00Z",
            "2026-03-31T23:59:59Z",
            "quarter 2 of 2026",
        ),
        (
            "year",
            "2026-12-31T23:59:59Z",
            "2027-01-01T00:00:00Z",
            "2026",
        ),
    ] {
        let criterion = format!(
            "kind = \"quota\"\nlimit = 1\nper = \"calendar-{per}\"\nmessage = \"{{period}}\""
        );
        let given = |start: &str| format!("{{ start = {start} }}");
        let at = "2026-05-27T12:00:00Z";
        let tests = [
            case("inside", at, &given(inside), &refused(words)),
            case("outside", at, &given(outside), ACCEPT),
        ];
        holds("UTC", &criterion, &tests.concat());
    }
}

#[test]
fn a_rolling_quota_lets_no_period_of_its_length_hold_more() {
    let criterion =
        "kind = \"quota\"\nlimit = 2\nrolling = \"10d\"\nmessage = \"{used}; {resets}\"";
    let at = "2026-06-20T12:00:00Z";
    let given =
        |starts: [&str; 2]| format!("{{ start = {} }}, {{ start = {} }}", starts[0], starts[1]);
    let before = given(["2026-06-12T12:00:00Z", "2026-06-15T12:00:00Z"]);
    let after = given(["2026-06-21T12:00:00Z", "2026-06-29T12:00:00Z"]);
    let around = given(["2026-06-11T12:00:00Z", "2026-06-29T12:00:00Z"]);
    let at_the_edge = given(["2026-06-10T12:00:00Z", "2026-06-12T12:00:00Z"]);
    holds(
        "UTC",
        criterion,
        &[
            case("two before", at, &before, &refused("2; 22 June 2026")),
            case("two after", at, &after, REJECT),
            case("never three together", at, &around, ACCEPT),
            case("ten days are over", at, &at_the_edge, ACCEPT),
        ]
        .concat(),
    );
}

#[test]
fn what_counts_for_a_quota_is_said_by_its_keys() {
    let quota =
        |keys: &str| format!("kind = \"quota\"\nlimit = 1\nper = \"calendar-month\"\n{keys}");
    let at = "2026-05-28T06:00:00Z";
    let other = |keys: &str| format!("{{ start = 2026-05-25T06:00:00Z, {keys} }}");
    let late = "status = \"cancelled\", ended_at = 2026-05-24T18:00:00Z";
    let early = "status = \"cancelled\", ended_at = 2026-05-24T05:00:00Z";
    let by_host = "status = \"cancelled-by-host\", ended_at = 2026-05-25T05:00:00Z";
    for (keys, given, expect) in [
        ("", "status = \"pending\"", REJECT),
        ("counts = [\"accepted\"]", "status = \"pending\"", ACCEPT),
        ("counts = [\"pending\"]", "status = \"accepted\"", ACCEPT),
        ("", "status = \"refused\"", ACCEPT),
        ("", late, ACCEPT),
        ("late_cancel_counts = \"24h\"", late, REJECT),
        ("late_cancel_counts = \"24h\"", early, ACCEPT),
        ("late_cancel_counts = \"24h\"", by_host, ACCEPT),
        ("", "email = \"bob@a.example\"", ACCEPT),
        ("by = \"domain\"", "email = \"bob@a.example\"", REJECT),
        ("by = \"domain\"", "email = \"bob@b.example\"", ACCEPT),
        ("by = \"event-type\"", "email = \"bob@b.example\"", REJECT),
        ("", "event_type = \"other\"", ACCEPT),
        ("event_types = \"all\"", "event_type = \"other\"", REJECT),
        (
            "event_types = [\"other\", 7]",
            "event_type = \"other\"",
            REJECT,
        ),
        ("event_types = [\"other\", 7]", "event_type = 7", REJECT),
        (
            "event_types = [\"other\", 7]",
            "status = \"accepted\"",
            ACCEPT,
        ),
        (
            "measured = \"created\"",
            "asked_at = 2026-04-30T23:59:59Z",
            ACCEPT,
        ),
        (
            "measured = \"created\"",
            "asked_at = 2026-05-01T00:00:00Z",
            REJECT,
        ),
    ] {
        let name = format!("{keys} {given}").replace('"', "'");
        holds("UTC", &quota(keys), &case(&name, at, &other(given), expect));
    }
}

#[test]
fn exceptions_have_another_limit_for_a_while() {
    let quota = "kind = \"quota\"\nlimit = 0\nper = \"calendar-month\"\n\
         [[criterion.exception]]\ndomains = [\"a.example\"]\nlimit = 1\nuntil = 2026-05-20\n\
         [[criterion.exception]]\nemails = [\"ada@a.example\"]\nlimit = \"unlimited\"\nuntil = 2026-05-21\n";
    let at = "2026-05-28T06:00:00Z";
    let one = "{ start = 2026-05-04T06:00:00Z }";
    let tests = [
        case("first holds", at, "", ACCEPT),
        case("and no other", at, one, REJECT),
    ]
    .concat();
    let next_day =
        case("the next", at, one, ACCEPT).replace("now = 2026-05-20", "now = 2026-05-21");
    let later = case("then none", at, "", REJECT).replace("now = 2026-05-20", "now = 2026-05-22");
    holds("UTC", quota, &[tests, next_day, later].concat());
}

#[test]
fn a_quota_of_time_adds_up_what_lasts() {
    let quota = "kind = \"duration-quota\"\nlimit = \"2h30m\"\nper = \"calendar-week\"\n\
                 message = \"{used} of {limit}\"";
    let at = "2026-05-28T06:00:00Z";
    let message = refused("1 hour 31 minutes of 2 hours 30 minutes");
    holds(
        "UTC",
        quota,
        &[
            case(
                "full",
                at,
                "{ start = 2026-05-25T06:00:00Z, length = 90 }",
                ACCEPT,
            ),
            case(
                "over",
                at,
                "{ start = 2026-05-25T06:00:00Z, length = 91 }",
                &message,
            ),
        ]
        .concat(),
    );
}

#[test]
fn concurrent_counts_what_is_not_over() {
    let at = "2026-05-28T06:00:00Z";
    holds(
        "UTC",
        "kind = \"concurrent\"\nmax = 1\nmessage = \"{open} of {max}\"",
        &[
            case(
                "ahead",
                at,
                "{ start = 2026-08-01T06:00:00Z }",
                &refused("1 of 1"),
            ),
            case("under way", at, "{ start = 2026-05-20T05:30:00Z }", REJECT),
            case("over", at, "{ start = 2026-05-20T05:00:00Z }", ACCEPT),
        ]
        .concat(),
    );
}

#[test]
fn a_gap_is_kept_before_and_after() {
    let at = "2026-05-28T06:00:00Z";
    let message = "3 days after 26 May 2026: 29 May 2026 06:00";
    holds(
        "UTC",
        "kind = \"min-gap\"\ngap = \"3d\"\nmessage = \"{gap} after {last}: {earliest}\"",
        &[
            case(
                "soon after",
                at,
                "{ start = 2026-05-26T05:00:00Z }",
                &refused(message),
            ),
            case(
                "just enough",
                at,
                "{ start = 2026-05-25T05:00:00Z }",
                ACCEPT,
            ),
            case(
                "soon before",
                at,
                "{ start = 2026-05-31T06:59:59Z }",
                REJECT,
            ),
            case(
                "enough before",
                at,
                "{ start = 2026-05-31T07:00:00Z }",
                ACCEPT,
            ),
        ]
        .concat(),
    );
}

#[test]
fn capacity_counts_everybody() {
    let at = "2026-05-28T06:00:00Z";
    let one = |start: &str| format!("{{ email = \"{start}@b.example\", start = {start} }}");
    let given = |starts: &[&str]| {
        starts
            .iter()
            .map(|at| one(at))
            .collect::<Vec<_>>()
            .join(", ")
    };
    // One after the other, each beside this one.
    let in_turn = given(&["2026-05-28T05:30:00Z", "2026-05-28T06:30:00Z"]);
    let together = given(&["2026-05-28T05:30:00Z", "2026-05-28T06:15:00Z"]);
    let criterion = |per: &str| {
        format!("kind = \"capacity\"\nmax = 2\nper = \"{per}\"\nmessage = \"{{used}} of {{max}}\"")
    };
    let tests = [
        case("in turn", at, &in_turn, ACCEPT),
        case("together", at, &together, &refused("2 of 2")),
    ];
    holds("UTC", &criterion("slot"), &tests.concat());
    let same_day = given(&["2026-05-28T00:00:00Z", "2026-05-28T23:59:00Z"]);
    let next_day = given(&["2026-05-28T00:00:00Z", "2026-05-29T00:00:00Z"]);
    let tests = [
        case("full", at, &same_day, REJECT),
        case("the next day", at, &next_day, ACCEPT),
    ];
    holds("UTC", &criterion("day"), &tests.concat());
    let any_day = given(&["2026-01-01T00:00:00Z", "2027-05-29T00:00:00Z"]);
    let tests = case("full", at, &any_day, REJECT);
    holds("UTC", &criterion("total"), &tests);
}

#[test]
fn history_tells_who_stayed_away_or_called_off_late() {
    let at = "2026-05-28T06:00:00Z";
    let missed = "{ start = 2026-05-01T06:00:00Z, no_show = true }";
    let old = "{ start = 2026-02-01T06:00:00Z, no_show = true }";
    let late =
        "{ start = 2026-05-19T06:00:00Z, status = \"cancelled\", ended_at = 2026-05-18T06:00:01Z }";
    let came = "{ start = 2026-05-20T05:00:00Z }";
    for (keys, given, expect) in [
        ("no_shows_max = 0", missed, REJECT),
        ("no_shows_max = 1", missed, ACCEPT),
        ("no_shows_max = 0\nwithin = \"90d\"", old, ACCEPT),
        ("late_cancels_max = 0", late, REJECT),
        ("late_cancels_max = 0\nlate = \"23h\"", late, ACCEPT),
        ("completed_min = 1", came, ACCEPT),
        ("completed_min = 1", missed, REJECT),
        (
            "completed_min = 1",
            "{ start = 2026-05-20T05:00:01Z }",
            REJECT,
        ),
    ] {
        let name = format!("{keys} {given}").replace(['"', '\n'], "'");
        let criterion = format!("kind = \"history\"\n{keys}");
        holds("UTC", &criterion, &case(&name, at, given, expect));
    }
}

#[test]
fn who_keeps_trying_does_not_wait_for_ever() {
    let at = "2026-05-28T06:00:00Z";
    let criterion = "kind = \"reputation\"\nrefusals = 2\nwithin = \"1d\"\ncool_down = \"2d\"\n\
                     message = \"{refused}, until {retry_at}\"";
    let given = |asked: &[&str]| {
        let one = |at: &&str| {
            format!("{{ start = 2026-06-01T06:00:00Z, status = \"refused\", asked_at = {at} }}")
        };
        asked.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let two = given(&["2026-05-18T20:00:00Z", "2026-05-19T06:00:00Z"]);
    let apart = given(&["2026-05-18T05:00:00Z", "2026-05-19T06:00:00Z"]);
    let impatient = given(&[
        "2026-05-17T06:00:00Z",
        "2026-05-17T07:00:00Z",
        "2026-05-18T06:00:00Z",
        "2026-05-19T06:00:00Z",
    ]);
    holds(
        "UTC",
        criterion,
        &[
            case("twice", at, &two, &refused("2, until 21 May 2026 06:00")),
            case("far apart", at, &apart, ACCEPT),
            case("refused while waiting", at, &impatient, ACCEPT),
        ]
        .concat(),
    );
}

#[test]
fn a_duplicate_shares_time_or_event_type() {
    let at = "2026-05-28T06:00:00Z";
    for (keys, given, expect) in [
        (
            "",
            "{ start = 2026-05-28T06:59:00Z, event_type = \"other\" }",
            REJECT,
        ),
        ("", "{ start = 2026-05-28T07:00:00Z }", ACCEPT),
        (
            "same = [\"event-type\"]",
            "{ start = 2026-09-28T07:00:00Z }",
            REJECT,
        ),
        (
            "same = [\"event-type\"]",
            "{ start = 2026-05-28T06:00:00Z, event_type = 7 }",
            ACCEPT,
        ),
        (
            "same = [\"event-type\"]",
            "{ start = 2026-05-19T07:00:00Z }",
            ACCEPT,
        ),
    ] {
        let name = format!("{keys} {given}").replace('"', "'");
        let criterion = format!("kind = \"duplicate\"\n{keys}");
        holds("UTC", &criterion, &case(&name, at, given, expect));
    }
    let message = refused("28 May 2026 06:30");
    let tests = case("when", at, "{ start = 2026-05-28T06:30:00Z }", &message);
    holds("UTC", "kind = \"duplicate\"\nmessage = \"{other}\"", &tests);
}

#[test]
fn bookings_that_cannot_be_looked_at_leave_the_answer_open() {
    let set = holds("UTC", "kind = \"concurrent\"\nmax = 1", "");
    let mut facts = Facts {
        details: crate::domain::booking::Details {
            event_type_slug: Some("mentoring".to_owned()),
            ..facts().details
        },
        ..facts()
    };
    let Evaluation::Needs(needs) = set.evaluate(&facts) else {
        panic!("decided without looking");
    };
    let [Need::Others(wanted)] = &needs.into_iter().collect::<Vec<_>>()[..] else {
        panic!("asks for something else");
    };
    facts.know_others(wanted.clone(), Loaded::Failed("too many".to_owned()));
    let Evaluation::Decided(verdict) = set.evaluate(&facts) else {
        panic!("still not decided");
    };
    assert_eq!(
        verdict.note.as_deref(),
        Some("c could not be answered: too many")
    );
    assert_eq!(verdict.trace.criteria[0].error.as_deref(), Some("too many"));
}

#[test]
fn a_period_is_one_and_not_two() {
    for (keys, code) in [
        ("limit = 1", "BG0101"),
        (
            "limit = 1\nper = \"calendar-day\"\nrolling = \"1d\"",
            "BG0104",
        ),
        ("limit = 1\nrolling = \"0s\"", "BG0107"),
        ("limit = 501\nrolling = \"1d\"", "BG0107"),
        (
            "limit = 1\nrolling = \"1d\"\nexception = [{ limit = 2 }]",
            "BG0207",
        ),
    ] {
        let found = load_texts(&[&text("UTC", &format!("kind = \"quota\"\n{keys}"), "")]);
        let found = found.unwrap_err();
        let codes: Vec<_> = found
            .iter()
            .filter(|one| one.is_error())
            .map(|one| one.code.as_str())
            .collect();
        assert_eq!(codes, [code], "{keys}");
    }
}
