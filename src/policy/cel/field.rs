//! What expressions may look at, one by one, as JSON: for those who send it elsewhere.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::names::{Name, Seen, Shape, View};
use crate::domain::amount::UnitCode;
use crate::domain::booking::Answer;
use crate::policy::criterion::PolicyContext;
use crate::policy::facts::Facts;

/// A name that expressions know, and what is behind it: `booking.start`, or `booking.answers.company`.
#[derive(Clone)]
pub(in crate::policy) struct Field {
    name: &'static Name,
    /// The key of an answer or of metadata.
    key: Option<Box<str>>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_string())
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.name)?;
        match &self.key {
            Some(key) => write!(f, ".{key}"),
            None => Ok(()),
        }
    }
}

impl Field {
    /// The field of that name. The price is none: whether it is waived may depend on the answer.
    pub(in crate::policy) fn find(written: &str) -> Option<Self> {
        let parts: Vec<&str> = written.split('.').collect();
        let (name, inner) = Name::find(&parts, false)?;
        let key = (!inner.is_empty()).then(|| inner.join(".").into());
        let has_keys = matches!(name.shape, Shape::Map | Shape::MapOfTexts);
        (!name.is_price() && (key.is_none() || has_keys)).then_some(Self { name, key })
    }

    /// The names of all fields.
    pub(in crate::policy) fn names() -> impl Iterator<Item = &'static str> {
        Name::all(None, false).filter(|name| Self::find(name).is_some())
    }

    /// Its parts, as it is nested in JSON.
    pub(in crate::policy) fn path(&self) -> impl Iterator<Item = &str> {
        self.name.name.split('.').chain(self.key.as_deref())
    }

    /// Whether it is told by the booker's account.
    pub(in crate::policy) fn is_of_account(&self) -> bool {
        self.name.is_of_account()
    }

    /// Its value: null for an answer that was not given, and as in expressions for anything else that is not
    /// there.
    ///
    /// # Errors
    /// Why it is not known.
    pub(in crate::policy) fn read(
        &self,
        facts: &Facts,
        zone: &TimeZone,
        units: &[UnitCode],
    ) -> Result<Value, String> {
        let context = PolicyContext { cost: None, zone };
        let seen = self.name.read(&View {
            facts,
            context: &context,
            units,
            reply: None,
        })?;
        Ok(match (seen, self.key.as_deref()) {
            (Seen::Map(map), Some(key)) => map.get(key).map_or(Value::Null, |text| text[..].into()),
            (Seen::MapOfTexts(map), Some(key)) => map.get(key).map_or(Value::Null, of_answer),
            (seen, _) => of_seen(seen),
        })
    }
}

fn of_seen(seen: Seen<'_>) -> Value {
    match seen {
        Seen::Text(text) => text.into(),
        Seen::Number(number) => number.into(),
        Seen::Switch(switch) => switch.into(),
        Seen::Moment(moment) => moment.to_string().into(),
        Seen::Texts(texts) => texts.into(),
        Seen::Map(map) => of_entries(map.iter().map(|(key, text)| (&**key, text[..].into()))),
        Seen::MapOfTexts(map) => {
            of_entries(map.iter().map(|(key, answer)| (&**key, of_answer(answer))))
        }
        Seen::Amounts(amounts) => of_entries(
            amounts
                .into_iter()
                .map(|(unit, minor)| (unit, minor.into())),
        ),
        Seen::Json(json) => json.clone(),
    }
}

fn of_entries<'e>(entries: impl Iterator<Item = (&'e str, Value)>) -> Value {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn of_answer(answer: &Answer) -> Value {
    match answer {
        Answer::Text(text) => text[..].into(),
        Answer::Many(texts) => texts.clone().into(),
    }
}
