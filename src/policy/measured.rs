//! What criteria measure. Kept as what it is, not as text: only what somebody reads is written, in the
//! language of the text that it stands in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use rust_decimal::Decimal;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::duration::Length;
use super::words::{Language, OpenHours, Period};

/// Something that a criterion measured. Two are the same if they read the same.
#[derive(Debug, Clone)]
pub enum Measure {
    /// A text, or anything that is written alike in every language.
    Text(Box<str>),
    /// A number.
    Count(i64),
    /// How much of a unit.
    Amount(Decimal),
    /// A length of time.
    Length(Length),
    /// Several of them.
    Lengths(Arc<[Length]>),
    /// A day.
    Day(Date),
    /// A day and a time of day.
    Moment(DateTime),
    /// The same with the day of the week.
    Start(DateTime),
    /// A period of the calendar.
    Period(Period),
    /// Opening hours.
    Open(Arc<OpenHours>),
}

/// What a criterion measured, by name: for messages and for the trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<(Cow<'static, str>, Measure)>);

impl Measure {
    /// Writes it in a language.
    ///
    /// # Errors
    /// Those of what is written to.
    pub fn write(&self, language: Language, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Count(count) => write!(out, "{count}"),
            Self::Amount(amount) => language.decimal(*amount, out),
            Self::Length(length) => language.length(length, out),
            Self::Lengths(lengths) => lengths.iter().enumerate().try_for_each(|(place, length)| {
                out.write_str(if place == 0 { "" } else { ", " })?;
                language.length(length, out)
            }),
            Self::Day(date) => language.day(*date, out),
            Self::Moment(local) => language.moment(*local, out),
            Self::Start(local) => language.start(*local, out),
            Self::Period(period) => language.period(*period, out),
            Self::Open(open) => language.open(open, out),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(Language::English, f)
    }
}

impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            _ => self.to_string() == other.to_string(),
        }
    }
}

impl Eq for Measure {}

impl From<String> for Measure {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Measure {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Measure {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for Measure {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for Measure {
    fn from(count: usize) -> Self {
        Self::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Decimal> for Measure {
    fn from(amount: Decimal) -> Self {
        Self::Amount(amount)
    }
}

impl From<Length> for Measure {
    fn from(length: Length) -> Self {
        Self::Length(length)
    }
}

impl Values {
    /// Adds one; another of its name gives way.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, measure: impl Into<Measure>) {
        let (name, measure) = (name.into(), measure.into());
        match self.place(&name) {
            Ok(place) => self.0[place].1 = measure,
            Err(place) => self.0.insert(place, (name, measure)),
        }
    }

    /// The one of a name.
    pub fn get(&self, name: &str) -> Option<&Measure> {
        let place = self.place(name).ok()?;
        Some(&self.0[place].1)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Measure)> {
        self.0.iter().map(|(name, measure)| (&**name, measure))
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Written<'m>(&'m Measure);
        impl Serialize for Written<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    Measure::Text(text) => serializer.serialize_str(text),
                    other => serializer.collect_str(other),
                }
            }
        }
        serializer.collect_map(self.iter().map(|(name, measure)| (name, Written(measure))))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
                let mut values = Values::default();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    values.insert(name, text);
                }
                Ok(values)
            }
        }
        deserializer.deserialize_map(Texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_was_measured_is_stored_as_it_reads_and_is_the_same_when_read_back() {
        let mut values = Values::default();
        values.insert("used", 3_i64);
        values.insert("cost", Decimal::new(25, 1));
        values.insert("resets", Measure::Day(date(2026, 6, 1)));
        values.insert("used", 4_i64);
        let json = serde_json::to_string(&values).unwrap();
        let expected = r#"{"cost":"2.5","resets":"1 June 2026","used":"4"}"#;
        assert_eq!(json, expected);
        let back: Values = serde_json::from_str(&json).unwrap();
        assert_eq!(back, values);
        values.insert("used", 5_i64);
        assert_ne!(back, values);
        assert_eq!(back.get("used").unwrap().to_string(), "4");
    }
}
