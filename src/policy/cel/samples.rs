//! Bookings that expressions are tried on when they are loaded. CEL has no types before it is
//! evaluated: that `booking.notes > 5` makes no sense, and that `booking.title` is no answer, shows here.

use cel::Value;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Fault;
use super::program::Program;
use crate::domain::amount::UnitCode;
use crate::domain::booking::{Answer, Booker, Details};
use crate::domain::callout::Reply;
use crate::domain::clock::{from_us, plus_ms};
use crate::domain::ids::{SourceName, Uid};
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;
use crate::policy::codes::Code;
use crate::policy::criterion::PolicyContext;
use crate::policy::facts::{AccountFacts, AccountStatus, Balance, Facts, Loaded};

/// What somebody may have written, so that some of it fits what is made of it.
const WRITTEN: [&str; 5] = ["a few words", "1", "true", "2026-01-05T12:00:00Z", "1h"];
/// Monday, 5 January 2026, noon UTC, in microseconds.
const NOW_US: i64 = 1_767_614_400_000_000;
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Refuses an expression that gives something else than true or false, or always an error. Where it
/// looks at what people answer, an error proves nothing: nobody knows here what they are asked.
pub(super) fn try_out(program: &Program, keys: &[String], zone: &TimeZone) -> Result<(), Fault> {
    let context = PolicyContext {
        cost: Some(100),
        zone,
    };
    let many = || WRITTEN.map(str::to_owned).to_vec();
    let texts = WRITTEN
        .iter()
        .map(|text| full(text, &Answer::Text((*text).to_owned()), keys));
    let lists = std::iter::once_with(|| full(WRITTEN[0], &Answer::Many(many()), keys));
    let bookings = texts.chain(lists).chain(std::iter::once_with(bare));
    let mut answered = false;
    let mut failed = None;
    for facts in bookings {
        match program.value(&facts, &context, Some(&approved())) {
            Ok(Value::Bool(_)) => answered = true,
            Ok(value) => return Err(no_answer(&value)),
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    match failed {
        Some(why) if !answered && !program.is_open() => {
            let message = format!("this expression has no answer for any booking: {why}");
            let help = "compare texts with texts and numbers with numbers".to_owned();
            Err(Fault::new(Code::NotAnAnswer, None, message, help))
        }
        _ => Ok(()),
    }
}

/// Whether an expression is true of a booking of which little is known.
pub(super) fn is_true(program: &Program, zone: &TimeZone) -> bool {
    let context = PolicyContext { cost: None, zone };
    program.run(&bare(), &context, Some(&approved())) == Ok(true)
}

fn no_answer(value: &Value) -> Fault {
    let message = format!(
        "this expression gives {}, and not true or false",
        called(value)
    );
    let help = "compare it with something, such as `size(booking.notes) >= 20`".to_owned();
    Fault::new(Code::NotAnAnswer, None, message, help)
}

fn called(value: &Value) -> &'static str {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Timestamp(_) => "a moment",
        Value::Duration(_) => "a length of time",
        _ => "something else",
    }
}

/// What a server may answer.
fn approved() -> Reply {
    Reply {
        status: 200,
        json: Some(json!({ "approved": true, "result": "pass" })),
    }
}

/// A booking of which everything is known, and with an answer under each of these keys.
fn full(text: &str, answer: &Answer, keys: &[String]) -> Facts {
    let mut facts = bare();
    let balance = Balance {
        posted: 500,
        held: 100,
        available: 400,
        limit: 0,
    };
    let unit = UnitCode::try_from("CREDIT").ok();
    facts.account = Loaded::Known(Some(AccountFacts {
        status: AccountStatus::Open,
        created_at: facts.now,
        balances: unit.map(|unit| (unit, balance)).into_iter().collect(),
    }));
    let details = &mut facts.details;
    details.event_type_id = Some(7);
    details.event_type_slug = Some("session".to_owned());
    details.event_type_aliases = vec!["Session".to_owned()];
    details.booker = Booker {
        email: Owner::parse("booker@example.org").ok(),
        name: "Test Booker".to_owned(),
        time_zone: Some("Europe/London".to_owned()),
        locale: Some("en".to_owned()),
        phone: Phone::parse("+44 20 7946 0000").ok(),
    };
    details.guests = Owner::parse("guest@example.org").into_iter().collect();
    details.location = Some(text.to_owned());
    details.notes = Some(text.to_owned());
    for key in keys.iter().take(super::values::ITEMS_MAX) {
        details.answers.insert(key.clone(), answer.clone());
        details.metadata.insert(key.clone(), text.to_owned());
    }
    facts
}

/// A booking of which as little is known as possible.
fn bare() -> Facts {
    let now = from_us(NOW_US);
    let start = plus_ms(now, WEEK_MS);
    let details = Details {
        title: "Test".to_owned(),
        ..Details::between(start, plus_ms(start, HOUR_MS))
    };
    let source = SourceName::new("test");
    let mut facts = Facts::of(now, source, Uid::new("test"), details);
    facts.account = Loaded::Known(None);
    facts
}
