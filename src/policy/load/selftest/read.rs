//! Reads `[[test]]` into facts and expectations. What a test leaves out is something ordinary: a
//! Monday noon, a booking of an hour in a week's time by somebody without an account, for the first
//! event type and source that the policy matches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::DeValue;

use super::super::super::codes::Code;
use super::super::super::compiled::Matching;
use super::super::super::facts::{AccountFacts, AccountStatus, Balance, Facts, Loaded};
use super::super::super::reader::{At, Table, Value};
use super::super::super::text::quote;
use super::super::credits::read_unit;
use super::super::header::{EventType, event_type};
use super::given::Given;
use super::{Decision, Expect, SelfTest};
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::booking::{Answer, Booker, Details, Host};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::decision::Outcome;
use crate::domain::ids::{SourceName, Uid};
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;

/// The most tests of one policy.
const TESTS_MAX: usize = 500;
/// The most guests of a test's booking.
const GUESTS_MAX: i64 = 1_000;
/// The longest appointment of a test, in minutes: a year.
pub(super) const LENGTH_MIN_MAX: i64 = 366 * 24 * 60;
/// Monday, 5 January 2026, noon UTC, in microseconds.
const NOW_US: i64 = 1_767_614_400_000_000;
/// From `now` to `start` where a test does not say.
const AHEAD_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// How long a test's booking takes, in minutes.
pub(super) const LENGTH_MIN: i64 = 60;
/// A minute in milliseconds.
pub(super) const MINUTE_MS: i64 = 60_000;

/// Reads all tests of a file.
pub(in super::super) fn read(
    file: &Table<'_>,
    unit: Option<&Unit>,
    units: &BTreeMap<UnitCode, Unit>,
    matching: &Matching,
) -> Vec<SelfTest> {
    let reader = Reader {
        unit,
        units,
        matching,
    };
    let tests = file.tables("test", |table| reader.test(table));
    if tests.len() > TESTS_MAX {
        let message = format!("the policy has {} tests", tests.len());
        file.report(
            Code::TooMany,
            file.span(),
            message,
            format!("at most {TESTS_MAX}"),
        );
    }
    tests.into_iter().flatten().collect()
}

struct Reader<'r> {
    unit: Option<&'r Unit>,
    units: &'r BTreeMap<UnitCode, Unit>,
    matching: &'r Matching,
}

impl Reader<'_> {
    fn test(&self, table: &Table<'_>) -> Option<SelfTest> {
        let name = table.required("name", Table::text);
        let now = table.timestamp("now").map(|at| at.value);
        let now = now.unwrap_or_else(|| crate::domain::clock::from_us(NOW_US));
        let given = table.table("given", |given| {
            let account = given.table("account", |account| self.account(account, now));
            (account, Given::read(given))
        });
        let (account, given) = given.unwrap_or_default();
        let mut facts = self.ordinary(now);
        facts.account = account.unwrap_or(Loaded::Known(None));
        facts.given_lists = Some(Arc::clone(given.lists()));
        table.table("booking", |booking| self.booking(booking, &mut facts));
        let expect = table.required("expect", |table, key| {
            table.table(key, |expect| self.expect(expect))
        });
        Some(SelfTest {
            name: name?.value.to_owned(),
            facts,
            given,
            expect: expect.flatten()?,
        })
    }

    fn ordinary(&self, now: Timestamp) -> Facts {
        let source = self.matching.sources.first().map_or("test", String::as_str);
        let start = plus_ms(now, AHEAD_MS);
        let slug = self.matching.event_type_slugs.first();
        let mut facts = Facts::of(
            now,
            SourceName::new(source),
            Uid::new("test"),
            Details {
                title: "Test".to_owned(),
                event_type_id: self.matching.event_type_ids.first().copied(),
                event_type_slug: slug.cloned(),
                booker: Booker {
                    email: Owner::parse("booker@example.org").ok(),
                    name: "Test Booker".to_owned(),
                    ..Booker::default()
                },
                metadata: self.matching.metadata.iter().cloned().collect(),
                ..Details::between(start, plus_ms(start, LENGTH_MIN * MINUTE_MS))
            },
        );
        facts.account = Loaded::Known(None);
        facts
    }

    fn account(&self, table: &Table<'_>, now: Timestamp) -> Loaded<Option<AccountFacts>> {
        if let Some(error) = table.text("error") {
            return Loaded::Failed(error.value.to_owned());
        }
        let status = [
            ("open", AccountStatus::Open),
            ("frozen", AccountStatus::Frozen),
            ("closed", AccountStatus::Closed),
        ];
        let status = table.choice("status", &status);
        let created_at = table.timestamp("created_at");
        let unit = match table.contains("unit") {
            true => read_unit(table, self.units),
            false => self.unit,
        };
        let mut balances = BTreeMap::new();
        if let Some(unit) = unit {
            let amount = |key| table.amount(key, unit).map_or(0, |at: At<i64>| at.value);
            let (available, held, limit) = (amount("available"), amount("held"), amount("limit"));
            let balance = Balance {
                posted: available.saturating_add(held).saturating_sub(limit),
                held,
                available,
                limit,
            };
            balances.insert(unit.code.clone(), balance);
        } else {
            for key in ["available", "held", "limit"] {
                if let Some(value) = table.value(key) {
                    let help = "add `unit`, such as `unit = \"CREDIT\"`";
                    table.report(
                        Code::UnknownUnit,
                        value.span(),
                        "an amount of which unit? The policy has no `[credits]`",
                        help,
                    );
                }
            }
        }
        Loaded::Known(Some(AccountFacts {
            status: status.map_or(AccountStatus::Open, |at| at.value),
            created_at: created_at.map_or(now, |at| at.value),
            balances,
        }))
    }

    fn booking(&self, table: &Table<'_>, facts: &mut Facts) {
        if let Some(source) = table.text("source") {
            facts.source = SourceName::new(source.value);
        }
        if let Some(uid) = table.text("uid") {
            facts.uid = Uid::new(uid.value);
        }
        let details = &mut facts.details;
        if let Some(email) = table.text("email") {
            details.booker.email = read_address(table, &email);
        }
        if let Some(name) = table.text("name") {
            details.booker.name = name.value.to_owned();
        }
        details.booker.phone = read_phone(table);
        details.booker.locale = table.text("language").map(|at| at.value.to_owned());
        details.hosts = read_hosts(table);
        if let Some(start) = table.timestamp("start") {
            details.start = start.value;
        }
        let length = table.integer("length", 0..=LENGTH_MIN_MAX);
        let length = length.map_or(LENGTH_MIN, |at| at.value);
        details.end = plus_ms(details.start, length * MINUTE_MS);
        details.guests = read_guests(table);
        if let Some(value) = table.value("event_type") {
            (details.event_type_id, details.event_type_slug) = match event_type(table, value) {
                Some(EventType::Id(id)) => (Some(id), None),
                Some(EventType::Slug(slug)) => (None, Some(slug)),
                None => (None, None),
            };
        }
        table.table("answers", |answers| {
            for (field, value) in answers.entries() {
                if let Some(answer) = read_answer(answers, field.value, value) {
                    details.answers.insert(field.value.to_owned(), answer);
                }
            }
        });
        table.table("metadata", |metadata| {
            for (key, value) in metadata.entries() {
                if let Some(text) = metadata.text_of(key.value, value) {
                    details
                        .metadata
                        .insert(key.value.to_owned(), text.value.to_owned());
                }
            }
        });
        details.notes = table.text("notes").map(|at| at.value.to_owned());
        details.location = table.text("location").map(|at| at.value.to_owned());
    }

    fn expect(&self, table: &Table<'_>) -> Option<Expect> {
        const DECISIONS: [(&str, Decision); 4] = [
            ("accept", Decision::Of(Outcome::Accept)),
            ("reject", Decision::Of(Outcome::Reject)),
            ("defer", Decision::Of(Outcome::Defer)),
            ("unmatched", Decision::Unmatched),
        ];
        let decision = table.required("decision", |table, key| table.choice(key, &DECISIONS));
        let failed = table.texts("failed").map(|at| At {
            value: at
                .value
                .iter()
                .map(|id| id.value.to_owned())
                .collect::<BTreeSet<_>>(),
            span: at.span,
        });
        let message = table.text("message").map(|at| At {
            value: at.value.to_owned(),
            span: at.span,
        });
        let held = match self.unit {
            Some(unit) => table.amount("held", unit),
            None => {
                if let Some(value) = table.value("held") {
                    let help = "leave `held` out, or add `[credits]`";
                    table.report(
                        Code::UnknownUnit,
                        value.span(),
                        "the policy has no `[credits]`",
                        help,
                    );
                }
                None
            }
        };
        Some(Expect {
            decision: decision?,
            failed,
            message,
            held,
        })
    }
}

/// An address; an empty text is a booker without one.
pub(super) fn read_address(table: &Table<'_>, text: &At<&str>) -> Option<Owner> {
    let owner = Owner::parse(text.value).ok();
    if owner.is_none() && !text.value.is_empty() {
        let message = format!("{} is not an e-mail address", quote(text.value));
        table.report(
            Code::NotAnAddress,
            text.span.clone(),
            message,
            "such as \"ada@example.org\", or \"\" for none",
        );
    }
    owner
}

fn read_phone(table: &Table<'_>) -> Option<Phone> {
    let text = table.text("phone")?;
    let phone = Phone::parse(text.value).ok();
    if phone.is_none() {
        let message = format!("{} is not a phone number", quote(text.value));
        let help = "with its country code, such as \"+44 20 7946 0000\"";
        table.report(Code::NotAnAddress, text.span, message, help);
    }
    phone
}

/// The hosts: each an e-mail address, or a name that is both user name and id.
fn read_hosts(table: &Table<'_>) -> Vec<Host> {
    let names = table.texts("hosts").map_or(Vec::new(), |at| at.value);
    let hosts = names.iter().map(|name| match Owner::parse(name.value) {
        Ok(email) => Host {
            email: Some(email),
            ..Host::default()
        },
        Err(_) => Host {
            username: Some(name.value.to_owned()),
            id: Some(name.value.to_owned()),
            ..Host::default()
        },
    });
    hosts.collect()
}

/// `guests = 2`, or their addresses.
fn read_guests(table: &Table<'_>) -> Vec<Owner> {
    let is_number = table
        .value("guests")
        .is_some_and(|value| matches!(value.get_ref(), DeValue::Integer(_)));
    if is_number {
        let count = table
            .integer("guests", 0..=GUESTS_MAX)
            .map_or(0, |at| at.value);
        let guests = (1..=count).map(|number| Owner::parse(&format!("guest-{number}@example.org")));
        return guests.flatten().collect();
    }
    let guests = table.texts("guests").map(|at| at.value).unwrap_or_default();
    guests
        .iter()
        .filter_map(|text| read_address(table, text))
        .collect()
}

fn read_answer(table: &Table<'_>, field: &str, value: Value<'_>) -> Option<Answer> {
    if let DeValue::Array(items) = value.get_ref() {
        let texts = items.iter().filter_map(|item| table.text_of(field, item));
        return Some(Answer::Many(texts.map(|at| at.value.to_owned()).collect()));
    }
    Some(Answer::Text(table.text_of(field, value)?.value.to_owned()))
}
