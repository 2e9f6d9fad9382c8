//! From Cal.com's shapes to [`Details`]: who booked, who comes along, what was answered. Webhooks
//! and both API dialects end here, so that a booking reads the same wherever it was learnt from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::payload::{Loose, Person, RawMap, Text, kept};
use crate::domain::booking::{Answer, Booker, Details, Host};
use crate::domain::clock::Timestamp;
use crate::domain::owner::Owner;
use crate::domain::phone::Phone;

/// Guests kept of one booking; more are left out.
const GUESTS_MAX: usize = 100;
/// Hosts kept of one booking.
const HOSTS_MAX: usize = 20;
/// Answers kept of one booking.
const ANSWERS_MAX: usize = 200;
/// Metadata entries kept of one booking.
const METADATA_MAX: usize = 100;
/// Texts kept of one answer that has several.
const ANSWER_TEXTS_MAX: usize = 100;

/// What webhooks and API answers have in common.
pub(super) struct Source<'s, 'a> {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) title: &'s Loose<Text<'a>>,
    pub(super) event_type_id: Option<i64>,
    pub(super) event_type_slug: Option<&'s str>,
    pub(super) responses: Option<&'s RawMap<'a>>,
    /// The organizer first.
    pub(super) hosts: Vec<Host>,
    /// The booker first.
    pub(super) attendees: Vec<&'s Person<'a>>,
    /// Guests named apart from attendees and answers (API v2).
    pub(super) guests: Vec<&'s str>,
    pub(super) metadata: Option<&'s RawMap<'a>>,
    pub(super) location: &'s Loose<Text<'a>>,
    pub(super) notes: Option<&'s str>,
    pub(super) seated: bool,
    pub(super) recurring: bool,
}

impl Source<'_, '_> {
    /// Puts the contents together.
    pub(super) fn into_details(self) -> Details {
        let fields = self.fields();
        let booker = self.booker(&fields);
        let guests = self.guests(&fields, &booker);
        let notes = fields.get("notes").and_then(text_of);
        Details {
            start: self.start,
            end: self.end,
            title: self.title.kept().unwrap_or_default(),
            event_type_id: self.event_type_id,
            event_type_slug: self.event_type_slug.map(kept),
            event_type_aliases: Vec::new(),
            booker,
            hosts: hosts(&self.hosts),
            guests,
            answers: answers(&fields),
            metadata: self.metadata(),
            location: self.location.kept(),
            notes: notes.or_else(|| self.notes.map(kept)),
            seated: self.seated,
            recurring: self.recurring,
        }
    }

    /// The answers' bare values by field name. All of them: the booker's and the guests' must not
    /// be pushed out by others.
    fn fields(&self) -> BTreeMap<&str, Value> {
        self.responses
            .into_iter()
            .flatten()
            .filter_map(|(name, raw)| {
                let value = serde_json::from_str(raw.get()).ok()?;
                Some((name.0.as_ref(), bare(value)?))
            })
            .collect()
    }

    /// The answer to "email" names the booker; the first attendee does if there is none.
    fn booker(&self, fields: &BTreeMap<&str, Value>) -> Booker {
        let answered = fields.get("email").and_then(Value::as_str).and_then(owner);
        let first = self.attendees.first().copied();
        let email = answered.or_else(|| owner(first?.email.text()?));
        let same = |person: &&&Person<'_>| person.email.text().and_then(owner) == email;
        let person = self.attendees.iter().find(same).copied().or(first);
        let name = fields.get("name").and_then(text_of);
        Booker {
            email,
            name: name.or_else(|| person?.name.kept()).unwrap_or_default(),
            time_zone: person.and_then(|person| person.time_zone.kept()),
            locale: person.and_then(Person::locale),
            phone: phone(fields, person),
        }
    }

    /// Everyone else with an address, once each, in the order they are named.
    fn guests(&self, fields: &BTreeMap<&str, Value>, booker: &Booker) -> Vec<Owner> {
        let answered = fields.get("guests").and_then(Value::as_array);
        let answered = answered.into_iter().flatten().filter_map(Value::as_str);
        let attending = self.attendees.iter().filter_map(|one| one.email.text());
        let named = self.guests.iter().copied();
        let mut guests: Vec<Owner> = Vec::new();
        for guest in answered.chain(named).chain(attending).filter_map(owner) {
            if guests.len() < GUESTS_MAX
                && booker.email.as_ref() != Some(&guest)
                && !guests.contains(&guest)
            {
                guests.push(guest);
            }
        }
        guests
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        self.metadata
            .into_iter()
            .flatten()
            .filter_map(|(key, raw)| {
                let value = serde_json::from_str(raw.get()).ok()?;
                Some((kept(&key.0), text_of(&value)?))
            })
            .take(METADATA_MAX)
            .collect()
    }
}

/// The answer to the form's own question for a number, else the attendee's.
fn phone(fields: &BTreeMap<&str, Value>, person: Option<&Person<'_>>) -> Option<Phone> {
    let answered = fields.get("attendeePhoneNumber").and_then(Value::as_str);
    let known = person.and_then(|person| person.phone_number.text());
    let mut texts = answered.into_iter().chain(known);
    texts.find_map(|text| Phone::parse(text).ok())
}

/// Those of whom anything is known, once each.
fn hosts(all: &[Host]) -> Vec<Host> {
    let mut hosts: Vec<Host> = Vec::new();
    for host in all.iter().filter(|host| host.is_named()) {
        if hosts.len() < HOSTS_MAX && !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    hosts
}

fn owner(text: &str) -> Option<Owner> {
    Owner::parse(text).ok()
}

fn answers(fields: &BTreeMap<&str, Value>) -> BTreeMap<String, Answer> {
    fields
        .iter()
        .filter_map(|(name, value)| Some((kept(name), answer(value)?)))
        .take(ANSWERS_MAX)
        .collect()
}

/// An answer without its label. Webhooks send `{label, value?, isHidden?}` per field, the API bare
/// values; a place is `{value, optionValue}` in both, so `value` alone does not tell a label.
fn bare(field: Value) -> Option<Value> {
    match field {
        Value::Object(mut map) if map.contains_key("label") || map.contains_key("isHidden") => {
            map.remove("value").filter(|value| !value.is_null())
        }
        Value::Null => None,
        value => Some(value),
    }
}

/// An answer, if it says anything. A choice with its own input, such as a place
/// `{value: "phone", optionValue: "+49…"}`, gives both texts.
fn answer(value: &Value) -> Option<Answer> {
    let texts: Vec<String> = match value {
        Value::Array(values) => values.iter().filter_map(text_of).collect(),
        Value::Object(map) if map.contains_key("optionValue") => ["value", "optionValue"]
            .into_iter()
            .filter_map(|key| text_of(map.get(key)?))
            .collect(),
        value => return text_of(value).map(Answer::Text),
    };
    match <[String; 1]>::try_from(texts) {
        Ok([text]) if !value.is_array() => Some(Answer::Text(text)),
        Ok(text) => Some(Answer::Many(text.into())),
        Err(texts) if texts.is_empty() => None,
        Err(mut texts) => {
            texts.truncate(ANSWER_TEXTS_MAX);
            Some(Answer::Many(texts))
        }
    }
}

/// Any value as one text; `None` if it says nothing.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| kept(text))
        }
        Value::Object(map) if map.contains_key("firstName") || map.contains_key("lastName") => {
            let names = ["firstName", "lastName"];
            let names = names.iter().filter_map(|name| text_of(map.get(*name)?));
            text_of(&Value::String(names.collect::<Vec<_>>().join(" ")))
        }
        Value::Array(values) if values.is_empty() => None,
        other => Some(kept(&other.to_string())),
    }
}
