//! Whatever is written as an expression, it is refused or it ends soon, on a small stack.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{Fault, Program, Setting};
use crate::domain::booking::Answer;
use crate::domain::owner::Owner;
use crate::policy::codes::Code;
use crate::policy::criterion::PolicyContext;
use crate::policy::facts::{Facts, Loaded};
use crate::policy::tests::{facts, units};

/// Half of what the daemon's threads have.
const STACK_BYTES: usize = 1024 * 1024;

fn compile(source: &str) -> Result<Program, Vec<Fault>> {
    let units = units();
    let setting = Setting {
        units: &units,
        priced: true,
        of_reply: false,
        zone: &TimeZone::UTC,
    };
    Program::compile(source, &setting)
}

fn run(program: &Program, facts: &Facts) -> Result<bool, String> {
    let context = PolicyContext {
        cost: Some(100),
        zone: &TimeZone::UTC,
    };
    program.run(facts, &context, None)
}

/// Everything as large as expressions look at.
static LARGE: LazyLock<Facts> = LazyLock::new(|| {
    let mut facts = facts();
    let text = "a".repeat(4_096);
    facts.account = Loaded::Known(None);
    let details = &mut facts.details;
    details.notes = Some(text.clone());
    details.guests = (0..64)
        .map(|number| Owner::parse(&format!("guest-{number}@example.org")).unwrap())
        .collect();
    details.answers = (0..64)
        .map(|number| (format!("k{number}"), Answer::Many(vec![text.clone(); 64])))
        .collect();
    details.metadata = (0..64)
        .map(|number| (format!("k{number}"), text.clone()))
        .collect();
    facts
});

/// Compiles on a small stack, and evaluates if it may be; the first code otherwise.
fn judge(source: String) -> Result<(), Code> {
    let judged = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let program = compile(&source).map_err(|faults| faults[0].code)?;
            // An error is an answer, too: only that there is one matters.
            let _ = run(&program, &LARGE);
            Ok(())
        });
    judged.unwrap().join().unwrap()
}

fn chain(first: &str, then: &str, bytes_max: usize) -> String {
    let times = (bytes_max - first.len()) / then.len();
    format!("{first}{}", then.repeat(times))
}

/// A loop over ten numbers in a loop over ten numbers, so many times.
fn nested(function: &str, levels: usize) -> String {
    let ten = "[0,1,2,3,4,5,6,7,8,9]";
    let item = |level: usize| char::from(b'a' + level as u8);
    let open: String = (0..levels)
        .map(|level| format!("{ten}.{function}({},", item(level)))
        .collect();
    format!("{open}true{}", ")".repeat(levels))
}

/// What was measured to abort the process, to take minutes or a gigabyte without the guard, and what
/// was harmless.
#[test]
fn known_dangers_are_refused() {
    use Code::{BadExpression, BadPattern, ExpressionTooLarge, NotAnAnswer};
    let loops = |source: &str| source.replace("xs", "booking.guests");
    let too_large = Err(ExpressionTooLarge);
    for (source, expected) in [
        ("(".repeat(100), too_large),
        ("(".repeat(20_000), too_large),
        (format!("{}1{}", "(".repeat(40), ")".repeat(40)), too_large),
        ("[".repeat(100), too_large),
        (chain("1", "+1", 1_023), too_large),
        (chain("1", " + 1", 6_000), too_large),
        (chain("1", " + 1", 24_000), too_large),
        (chain("booking", ".a", 1_023), too_large),
        (chain("booking", ".a", 12_000), too_large),
        (chain("true", " && true", 1_024), Ok(())),
        (chain("true", " && true", 160_000), too_large),
        (format!("{}true", "!".repeat(200)), Ok(())),
        (format!("{}true", "!".repeat(100_000)), too_large),
        (
            loops("xs.all(a, xs.all(b, xs.all(c, a + b + c != '')))"),
            too_large,
        ),
        (loops("xs.all(a, xs.all(b, a == b || a != b))"), Ok(())),
        (nested("all", 2), Ok(())),
        (nested("all", 3), too_large),
        (nested("all", 7), too_large),
        (nested("map", 2), Err(NotAnAnswer)),
        (nested("map", 6), too_large),
        (nested("map", 8), too_large),
        ("booking.notes.matches('(a+)+$')".to_owned(), Ok(())),
        (
            "booking.notes.matches('(a{1000}){1000}')".to_owned(),
            Err(BadPattern),
        ),
        ("booking.notes.matches('(')".to_owned(), Err(BadPattern)),
        (
            "booking.notes.matches(booking.title)".to_owned(),
            Err(BadPattern),
        ),
        ("matches(booking.notes, 'a')".to_owned(), Err(BadPattern)),
        (
            "booking.length_minutes / 0 > 1".to_owned(),
            Err(NotAnAnswer),
        ),
        ("9223372036854775807 + 1 > 0".to_owned(), Err(NotAnAnswer)),
        (
            "-9223372036854775808 % -1 == 0".to_owned(),
            Err(NotAnAnswer),
        ),
        ("9223372036854775808 > 0".to_owned(), Err(BadExpression)),
        ("[true][1]".to_owned(), Err(NotAnAnswer)),
        (
            "duration('99999999999999h') > duration('1h')".to_owned(),
            Err(NotAnAnswer),
        ),
        ("'\\ud800' == ''".to_owned(), Err(BadExpression)),
        ("unknown == 1".to_owned(), Err(Code::UnknownName)),
        ("booking.notes > 5".to_owned(), Err(NotAnAnswer)),
        ("booking.title".to_owned(), Err(NotAnAnswer)),
    ] {
        assert_eq!(judge(source.clone()), expected, "{source:.80}");
    }
}

/// The deepest, the longest and the dearest that are still accepted, on the largest booking.
#[test]
fn the_worst_that_is_accepted_fits_a_small_stack() {
    let text = "booking.notes";
    for source in [
        format!("{} > 0", chain("1", "+1", 61)),
        format!("{} == ''", chain(text, &format!("+{text}"), 14 * 30)),
        format!("{}true{}", "(".repeat(25), ")".repeat(25)),
        format!("{}true{} != []", "[".repeat(25), "]".repeat(25)),
        format!("{}true{}", "!(".repeat(12), ")".repeat(12)),
        "booking.guests.all(a, a.matches('(x+x+)+y') || !a.contains(booking.notes))".to_owned(),
        "booking.guests.map(a, booking.guests.map(b, a + b)) != []".to_owned(),
        "booking.guests.all(a, booking.guests.all(b, a == b || booking.notes != b))".to_owned(),
        "booking.answers == booking.answers && booking.answers != {}".to_owned(),
        "booking.answers.all(k, booking.answers[k].all(text, size(text) > 5))".to_owned(),
        "booking.notes.contains(booking.notes + 'b')".to_owned(),
        "booking.guests.filter(a, a != '').map(a, a + a).exists_one(a, a == '')".to_owned(),
    ] {
        assert_eq!(judge(source.clone()), Ok(()), "{source:.80}");
    }
}

#[test]
fn what_grows_in_a_loop_is_counted() {
    let doubled = ".map(x, x + x)";
    let grown = |times: usize| format!("[booking.notes]{} != []", doubled.repeat(times));
    assert_eq!(judge(grown(3)), Ok(()));
    assert_eq!(judge(grown(17)), Err(Code::ExpressionTooLarge));
}

#[test]
fn what_is_too_long_to_be_judged_has_no_answer() {
    let longer = |program: &str, facts: &Facts| run(&compile(program).unwrap(), facts).unwrap_err();
    let mut facts = facts();
    facts.details.notes = Some("a".repeat(4_097));
    let guest = |number| Owner::parse(&format!("guest-{number}@example.org")).unwrap();
    facts.details.guests = (0..65).map(guest).collect();
    assert_eq!(
        longer("size(booking.notes) > 1", &facts),
        "`booking.notes`: a text is longer than 4096 bytes"
    );
    assert_eq!(
        longer("booking.guests.all(guest, guest != '')", &facts),
        "`booking.guests`: a list has more than 64 items"
    );
    let unasked = compile("booking.title == 'Session'").unwrap();
    assert_eq!(run(&unasked, &facts), Ok(true));
}

/// Pieces of expressions, right and wrong, so that some of what is put together from them is accepted.
const PIECES: &[&str] = &[
    "booking.notes",
    "booking.guests",
    "booking.answers",
    "booking.start",
    "booking",
    "now",
    "cost",
    "account.available.CREDIT",
    ".x",
    "['x']",
    "[0]",
    "1",
    "2.5",
    "7u",
    "'a'",
    "\"b\"",
    "r'\\'",
    "b'c'",
    "'''",
    "true",
    "null",
    "-9223372036854775808",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    "?",
    ".",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " == ",
    " != ",
    " < ",
    " >= ",
    " && ",
    " || ",
    " in ",
    "!",
    "-",
    ".all(x, ",
    ".exists(y, ",
    ".exists_one(x, ",
    ".map(x, ",
    ".filter(y, ",
    "has(",
    "x",
    "y",
    "size(",
    ".contains(",
    ".matches('a+')",
    ".matches(",
    "timestamp('2026-01-01T00:00:00Z')",
    "duration('1h')",
    ".getHours('Europe/Rome')",
    ".getDayOfYear()",
    "string(",
    "int(",
    "double(",
    ".lowerAscii()",
    "é",
    "\u{1F600}",
    "\\u{",
    "//",
    "\n",
    "`",
    "@result",
    "Message{a: 1}",
    ".?a",
    "optional.of(1)",
    "for",
];

proptest! {
    #[test]
    fn no_text_panics_or_takes_long(text in any::<String>()) {
        let _ = judge(text);
    }

    #[test]
    fn no_expression_panics_or_takes_long(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        let _ = judge(pieces.concat());
    }

    /// What is inside of what is well formed.
    #[test]
    fn no_operands_panic(
        operator in prop::sample::select(&["+", "-", "*", "/", "%", "==", "<", ">=", "in", "&&"][..]),
        left in prop::sample::select(OPERANDS), right in prop::sample::select(OPERANDS),
    ) {
        let _ = judge(format!("({left}) {operator} ({right})"));
        let _ = judge(format!("[{left}, {right}].all(x, x {operator} {right} == x)"));
        let _ = judge(format!("string(({left}) {operator} ({right})) == ''"));
    }
}

const OPERANDS: &[&str] = &[
    "0",
    "-1",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551615u",
    "0u",
    "0.0",
    "1e308",
    "-0.0",
    "double('NaN')",
    "double('inf')",
    "''",
    "'é'",
    "true",
    "null",
    "[]",
    "[[]]",
    "{}",
    "{1: 'a'}",
    "{'a': {}}",
    "timestamp('0001-01-01T00:00:00Z')",
    "timestamp('9999-12-31T23:59:59Z')",
    "timestamp('0001-01-01T00:00:00Z').getDayOfYear('-23:59')",
    "timestamp('9999-12-31T23:59:59Z').getFullYear('+23:59')",
    "duration('9223372036s')",
    "duration('-9223372036s')",
    "booking.answers",
    "booking.metadata",
    "booking.guests",
    "booking.notes",
    "booking.start",
    "account.available",
    "int('x')",
    "int(1e300)",
    "now.getHours('Nowhere')",
    "now - booking.start",
    "size(booking.guests)",
];

/// Names are found by their longest part first, so none may begin with all of another.
#[test]
fn names_are_in_order_and_do_not_overlap() {
    assert!(super::names::Name::all(None, false).is_sorted());
    let names: Vec<&str> = super::names::Name::all(None, true).collect();
    let parts: BTreeMap<&str, usize> = names
        .iter()
        .map(|name| (*name, name.split('.').count()))
        .collect();
    assert!(names.iter().all(|name| parts[name] <= 2));
    assert!(
        !names
            .iter()
            .any(|name| super::names::Name::is_group(name, true))
    );
}

#[test]
fn the_guide_has_every_name_and_function() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/REFERENCE.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let functions = super::work::FUNCTIONS.iter();
    let functions = functions.filter(|name| !name.starts_with("get"));
    for name in super::names::Name::all(None, true).chain(functions.copied()) {
        let (group, name) = name.split_once('.').unwrap_or(("", name));
        let row = |line: &str| line.contains(&format!("{group}.`"));
        let said = guide.lines().filter(|line| group.is_empty() || row(line));
        let told = said
            .into_iter()
            .any(|line| line.contains(&format!("`{name}`")));
        assert!(told, "{group} {name} is not in the guide");
    }
}
