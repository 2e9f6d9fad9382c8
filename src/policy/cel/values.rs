//! Facts as values of CEL. What is too large is not cut: an expression would then judge something
//! else than the booking.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelTimestamp,
};
use cel::common::value::Val;
use chrono::DateTime;
use serde_json::Value as Json;

use super::names::Seen;
use crate::domain::booking::Answer;
use crate::domain::clock::Timestamp;

/// The longest text that an expression looks at, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 4_096;
/// The longest list, and the most keys, that an expression looks at.
pub(super) const ITEMS_MAX: usize = 64;
/// The most values in what another server answered, at all depths.
pub(super) const JSON_VALUES_MAX: usize = 512;
/// How deep that may go.
const JSON_DEPTH_MAX: usize = 16;

type Value<'f> = Box<dyn Val + 'f>;

/// The value of a name; an error says why there is none.
pub(super) fn value<'f>(seen: Seen<'f>) -> Result<Value<'f>, String> {
    Ok(match seen {
        Seen::Text(text) => of_text(text)?,
        Seen::Number(number) => Box::new(CelInt::from(number)),
        Seen::Switch(switch) => Box::new(CelBool::from(switch)),
        Seen::Moment(moment) => of_moment(moment)?,
        Seen::Texts(texts) => of_texts(texts.into_iter())?,
        Seen::Map(map) => of_map(map.iter().map(|(key, text)| (&**key, of_text(text))))?,
        Seen::MapOfTexts(map) => of_map(map.iter().map(|(key, answer)| {
            let value = match answer {
                Answer::Text(text) => of_text(text),
                Answer::Many(texts) => of_texts(texts.iter().map(String::as_str)),
            };
            (&**key, value)
        }))?,
        Seen::Amounts(amounts) => of_map(amounts.into_iter().map(|(unit, minor)| {
            let value: Value<'f> = Box::new(CelInt::from(minor));
            (unit, Ok(value))
        }))?,
        Seen::Json(json) => of_json(json, 1, &mut 0)?,
    })
}

/// `count` is how many values there were before.
fn of_json<'f>(json: &'f Json, depth: usize, count: &mut usize) -> Result<Value<'f>, String> {
    *count += 1;
    if depth > JSON_DEPTH_MAX {
        return Err(format!("it nests deeper than {JSON_DEPTH_MAX}"));
    }
    if *count > JSON_VALUES_MAX {
        return Err(format!("it has more than {JSON_VALUES_MAX} values"));
    }
    Ok(match json {
        Json::Null => Box::new(CelNull),
        Json::Bool(switch) => Box::new(CelBool::from(*switch)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Box::new(CelInt::from(whole)),
            None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Json::String(text) => of_text(text)?,
        Json::Array(items) => {
            let items = items.iter().map(|item| of_json(item, depth + 1, count));
            let items: Result<Vec<Value<'f>>, String> = items.collect();
            Box::new(CelList::from(items?))
        }
        Json::Object(entries) => {
            let mut map = HashMap::with_capacity(entries.len().min(JSON_VALUES_MAX));
            for (key, value) in entries {
                of_text(key)?;
                map.insert(CelMapKey::from(&**key), of_json(value, depth + 1, count)?);
            }
            Box::new(CelMap::from(map))
        }
    })
}

fn of_text(text: &str) -> Result<Value<'_>, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("a text is longer than {TEXT_BYTES_MAX} bytes"));
    }
    Ok(Box::new(CelString::from(text)))
}

fn of_moment<'f>(moment: Timestamp) -> Result<Value<'f>, String> {
    let moment = DateTime::from_timestamp_micros(moment.as_microsecond());
    let moment = moment.ok_or_else(|| "a time lies too far away".to_owned())?;
    Ok(Box::new(CelTimestamp::from(moment.fixed_offset())))
}

fn of_texts<'f>(texts: impl ExactSizeIterator<Item = &'f str>) -> Result<Value<'f>, String> {
    if texts.len() > ITEMS_MAX {
        return Err(format!("a list has more than {ITEMS_MAX} items"));
    }
    let texts: Result<Vec<Value<'f>>, String> = texts.map(of_text).collect();
    Ok(Box::new(CelList::from(texts?)))
}

fn of_map<'f>(
    entries: impl ExactSizeIterator<Item = (&'f str, Result<Value<'f>, String>)>,
) -> Result<Value<'f>, String> {
    if entries.len() > ITEMS_MAX {
        return Err(format!("there are more than {ITEMS_MAX} keys"));
    }
    let mut map = HashMap::with_capacity(entries.len());
    for (key, value) in entries {
        of_text(key)?;
        map.insert(CelMapKey::from(key), value?);
    }
    Ok(Box::new(CelMap::from(map)))
}
