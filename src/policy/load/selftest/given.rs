//! What a test says is known beside the booking and the account: other bookings, used codes, and what
//! servers answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use toml::de::DeValue;

use super::super::super::codes::Code;
use super::super::super::diagnostic::{Sink, Span};
use super::super::super::facts::{Facts, Loaded, Need};
use super::super::super::kinds::invite_code::code_key;
use super::super::super::lists::{GivenLists, read_entries};
use super::super::super::reader::{At, Table};
use super::super::super::text::{nearest, quote, quote_all};
use super::super::header::{EventType, event_type, read_ids};
use super::read::{LENGTH_MIN, LENGTH_MIN_MAX, MINUTE_MS, read_address};
use crate::domain::callout::Reply;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::Uid;
use crate::domain::others::{Fate, OTHERS_MAX, OtherBooking, Wanted};
use crate::domain::owner::Owner;

/// The most uses of a code that a test speaks of.
const USES_MAX: i64 = 1_000_000;

const FATES: [(&str, Fate); 5] = [
    ("accepted", Fate::Standing),
    ("pending", Fate::Waiting),
    ("cancelled", Fate::CalledOff),
    ("cancelled-by-host", Fate::Withdrawn),
    ("refused", Fate::Refused),
];

/// What is given.
#[derive(Debug, Default)]
pub(super) struct Given {
    bookings: Vec<GivenBooking>,
    /// Of the booker.
    tags: Vec<String>,
    /// Those of which it matters since when.
    tagged_at: BTreeMap<String, Timestamp>,
    /// By the code.
    code_uses: BTreeMap<String, i64>,
    /// By the criterion that asks, and where it is named.
    replies: BTreeMap<String, (Span, Loaded<Reply>)>,
    /// On the lists of servers.
    lists: Arc<GivenLists>,
}

#[derive(Debug)]
struct GivenBooking {
    /// The booker of the test's own booking if it is left out.
    booker: Option<Owner>,
    /// The event type of the test's own booking if it is left out.
    event_type: Option<EventType>,
    start: Timestamp,
    end: Timestamp,
    asked_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    fate: Fate,
    no_show: bool,
}

impl Given {
    /// Reads `given`, but for the account.
    pub(super) fn read(given: &Table<'_>) -> Self {
        let bookings = given.tables("bookings", booking);
        let tagged_at = given.table("tagged_at", |tags| {
            let moment = |(tag, value): (At<&str>, _)| {
                let at = tags.timestamp_of(tag.value, value)?;
                Some((tag.value.to_owned(), at.value))
            };
            tags.entries().into_iter().filter_map(moment).collect()
        });
        let code_uses = given.table("code_uses", |uses| {
            let mut all = BTreeMap::new();
            for (code, value) in uses.entries() {
                if let Some(count) = uses.integer_of(code.value, value, 0..=USES_MAX) {
                    all.insert(code.value.to_owned(), count.value);
                }
            }
            all
        });
        Self {
            tags: read_ids(given, "tags").unwrap_or_default(),
            tagged_at: tagged_at.unwrap_or_default(),
            bookings: bookings.into_iter().flatten().collect(),
            code_uses: code_uses.unwrap_or_default(),
            replies: given.table("http", replies).unwrap_or_default(),
            lists: given.table("lists", lists).unwrap_or_default().into(),
        }
    }

    /// Reports answers of which no criterion of the policy would ever hear; `askers` are those that ask.
    pub(super) fn report_unheard(&self, askers: &[&str], sink: &Sink) {
        let unheard = self.replies.iter();
        let unheard = unheard.filter(|(name, _)| !askers.contains(&name.as_str()));
        for (name, (at, _)) in unheard {
            let message = format!("no criterion {} asks another server", quote(name));
            let help = match askers {
                [] => "none does: `given.http` is for criteria of the kind `http`".to_owned(),
                _ => format!("known: {}", quote_all(askers.iter().copied())),
            };
            let diagnostic = sink.at(Code::UnknownKey, at.clone(), message).help(help);
            sink.add(match nearest(name, askers.iter().copied()) {
                Some(meant) => {
                    let text = format!("did you mean `{meant}`?");
                    diagnostic.suggest(at.clone(), text, meant)
                }
                None => diagnostic,
            });
        }
    }

    /// Who is on the lists of servers.
    pub(super) fn lists(&self) -> &Arc<GivenLists> {
        &self.lists
    }

    /// Answers what a criterion asks for. What a test does not speak of, there is not.
    pub(super) fn answer(&self, need: &Need, policy: &str, facts: &mut Facts) {
        match need {
            Need::Account => {}
            Need::Tags => {
                let now = facts.now;
                let tags = self.tags.iter().map(|tag| (tag.clone(), now));
                facts.know_tags(tags.chain(self.tagged_at.clone()).collect());
            }
            Need::Others(wanted) => {
                let given = self.bookings.iter().enumerate();
                let others = given.filter_map(|(number, given)| given.seen(number, wanted, facts));
                let found = others.take(OTHERS_MAX).collect();
                facts.know_others(wanted.clone(), Loaded::Known(found));
            }
            Need::CodeUses(code) => {
                let mut given = self.code_uses.iter();
                let uses = given.find(|(text, _)| code_key(policy, text) == *code);
                let uses = uses.map_or(0, |(_, uses)| *uses);
                facts.know_uses(code.clone(), Loaded::Known(uses));
            }
            Need::Callout(asker) => {
                let reply = self.replies.get(&asker.criterion);
                let reply = reply.map(|(_, reply)| reply.clone());
                let none = || Loaded::Failed("the test gives no answer".to_owned());
                facts.know_reply(asker.clone(), reply.unwrap_or_else(none));
            }
        }
    }
}

fn lists(table: &Table<'_>) -> GivenLists {
    let mut all = GivenLists::new();
    for (url, value) in table.entries() {
        if !url.value.contains("://") {
            let message = format!("{} is no address of a server's list", quote(url.value));
            let help =
                "lists of servers are named by their `url`; all others are as they are written";
            table.report(Code::NotACalloutUrl, url.span.clone(), message, help);
        }
        if let Some(list) = read_entries(table, url.value, value) {
            all.insert(url.value.to_owned(), list);
        }
    }
    all
}

fn replies(table: &Table<'_>) -> BTreeMap<String, (Span, Loaded<Reply>)> {
    let mut all = BTreeMap::new();
    for (criterion, value) in table.entries() {
        let reply = table.table_of(criterion.value, value, |reply| {
            let status = reply.integer("status", 100..=599);
            let status = status.map_or(200, |at| u16::try_from(at.value).unwrap_or(200));
            let json = reply.value("json").map(|value| as_json(value.get_ref()));
            match reply.text("error") {
                Some(why) => Loaded::Failed(why.value.to_owned()),
                None => Loaded::Known(Reply { status, json }),
            }
        });
        let at = criterion.span;
        all.extend(reply.map(|reply| (criterion.value.to_owned(), (at, reply))));
    }
    all
}

/// As JSON; a date or a time is a text.
fn as_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix())
            .ok()
            .into(),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().into(),
        DeValue::Boolean(switch) => (*switch).into(),
        DeValue::Datetime(moment) => moment.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| as_json(item.get_ref())).collect(),
        DeValue::Table(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, value)| (key.get_ref().to_string(), as_json(value.get_ref())));
            Value::Object(entries.collect())
        }
    }
}

fn booking(table: &Table<'_>) -> Option<GivenBooking> {
    let email = table.text("email");
    let event_type = table
        .value("event_type")
        .and_then(|value| event_type(table, value));
    let start = table.required("start", Table::timestamp);
    let length = table.integer("length", 0..=LENGTH_MIN_MAX);
    let length_min = length.map_or(LENGTH_MIN, |at| at.value);
    let asked_at = table.timestamp("asked_at").map(|at| at.value);
    let ended_at = table.timestamp("ended_at").map(|at| at.value);
    let fate = table.choice("status", &FATES);
    let no_show = table.boolean("no_show").is_some_and(|at| at.value);
    let start = start?.value;
    Some(GivenBooking {
        booker: email.and_then(|text| read_address(table, &text)),
        event_type,
        start,
        end: plus_ms(start, length_min * MINUTE_MS),
        asked_at,
        ended_at,
        fate: fate.map_or(Fate::Standing, |at| at.value),
        no_show,
    })
}

impl GivenBooking {
    /// As a criterion sees it; `None` if it is not among those asked for.
    fn seen(&self, number: usize, wanted: &Wanted, facts: &Facts) -> Option<OtherBooking> {
        let details = &facts.details;
        let (event_type_id, event_type) = match &self.event_type {
            Some(EventType::Id(id)) => (Some(*id), Some(id.to_string())),
            Some(EventType::Slug(slug)) => (None, Some(slug.clone())),
            None => (details.event_type_id, details.event_type_name()),
        };
        let booker = self.booker.as_ref().or(details.booker.email.as_ref());
        let meant = wanted.of.means(booker, event_type.as_deref());
        let covered = wanted.covers(self.start, self.end, self.asked_at);
        (meant && covered).then(|| OtherBooking {
            source: facts.source.clone(),
            uid: Uid::new(format!("given-{}", number + 1)),
            event_type_id,
            event_type,
            start: self.start,
            end: self.end,
            asked_at: self.asked_at,
            fate: self.fate,
            ended_at: self.ended_at,
            no_show: self.no_show,
        })
    }
}
