//! What is asked about a booking: nothing but the fields that the author listed.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::amount::UnitCode;
use crate::domain::callout::{Auth, Limits, Method, Question};
use crate::domain::secret::Secret;
use crate::policy::cel::Field;
use crate::policy::criterion::{Cache, Call};
use crate::policy::facts::{Asker, Facts};

/// What a question is called, so that who answers knows what to expect.
const CONTRACT: &str = "bookgate.check/1";
/// The longest that is sent of a booking, in bytes.
const SENT_BYTES_MAX: usize = 64 * 1024;
/// The longest address that is called, in bytes.
const URL_BYTES_MAX: usize = 8 * 1024;

/// How a server is asked.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) send: Vec<Field>,
    /// What the criterion gives its kind.
    pub(super) params: Map<String, Value>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) auth: Option<Auth>,
    pub(super) sign: Option<Secret>,
    pub(super) cache: Option<Kept>,
    pub(super) units: Vec<UnitCode>,
}

/// What is remembered of answers.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) ttl_ms: i64,
    /// The same answer serves where these are the same.
    pub(super) key: Vec<Field>,
    pub(super) only_pass: bool,
}

impl Ask {
    pub(super) fn looks_at_account(&self) -> bool {
        let key = self.cache.iter().flat_map(|kept| &kept.key);
        self.send.iter().chain(key).any(Field::is_of_account)
    }

    /// What is sent of a booking, nested by the names of the fields.
    ///
    /// # Errors
    /// What of it is not known, or that it is too long.
    pub(super) fn fields(&self, facts: &Facts, zone: &TimeZone) -> Result<Value, String> {
        let mut all = Map::new();
        for field in &self.send {
            let value = self.read(field, facts, zone)?;
            put(&mut all, &mut field.path().peekable(), value);
        }
        if !self.params.is_empty() {
            all.insert("params".to_owned(), Value::Object(self.params.clone()));
        }
        let all = Value::Object(all);
        match all.to_string().len() {
            0..=SENT_BYTES_MAX => Ok(all),
            _ => Err(format!(
                "what is to be sent is longer than {SENT_BYTES_MAX} bytes"
            )),
        }
    }

    fn read(&self, field: &Field, facts: &Facts, zone: &TimeZone) -> Result<Value, String> {
        let value = field.read(facts, zone, &self.units);
        value.map_err(|why| format!("`{field}`: {why}"))
    }

    /// The question.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub(super) fn call(
        &self,
        asker: &Asker,
        limits: Limits,
        facts: &Facts,
        zone: &TimeZone,
    ) -> Result<Call, String> {
        let fields = self.fields(facts, zone)?;
        let (mut url, mut body) = (self.url.clone(), None);
        match self.method {
            Method::Get => {
                for field in &self.send {
                    add_to_query(&mut url, &field.to_string(), self.read(field, facts, zone)?);
                }
                for (name, value) in &self.params {
                    add_to_query(&mut url, &format!("params.{name}"), value.clone());
                }
            }
            Method::Post => body = Some(in_contract(asker, limits, fields).to_string()),
        }
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(format!(
                "the address would be longer than {URL_BYTES_MAX} bytes"
            ));
        }
        let text = |value: &Value| value.to_string();
        let cache = self.cache.as_ref().map(|kept| {
            let key = kept.key.iter().map(|field| self.read(field, facts, zone));
            let key: Result<Vec<String>, String> = key.map(|value| Ok(text(&value?))).collect();
            Ok::<_, String>(Cache {
                key: digest(asker, key?.iter().map(String::as_str)),
                ttl_ms: kept.ttl_ms,
                only_pass: kept.only_pass,
            })
        });
        let of_booking = [facts.source.as_str(), facts.uid.as_str()];
        let asked = [url.as_str(), body.as_deref().unwrap_or_default()];
        Ok(Call {
            question: Question {
                key: digest(asker, of_booking.into_iter().chain(asked)),
                method: self.method,
                url: url.to_string(),
                body,
                headers: self.headers.clone(),
                auth: self.auth.clone(),
                sign: self.sign.clone(),
                limits,
            },
            cache: cache.transpose()?,
        })
    }
}

fn in_contract(asker: &Asker, limits: Limits, fields: Value) -> Value {
    let mut body = json!({
        "contract": CONTRACT,
        "policy": asker.policy,
        "criterion": asker.criterion,
        "deadline_ms": limits.deadline_ms,
    });
    if let (Value::Object(body), Value::Object(fields)) = (&mut body, fields) {
        body.extend(fields);
    }
    body
}

/// Puts a value where its name says. What is there already is kept beside it.
fn put<'p>(
    into: &mut Map<String, Value>,
    path: &mut std::iter::Peekable<impl Iterator<Item = &'p str>>,
    value: Value,
) {
    let Some(part) = path.next() else { return };
    if path.peek().is_none() {
        into.insert(part.to_owned(), value);
        return;
    }
    let inner = into
        .entry(part)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        put(inner, path, value);
    }
}

/// Texts as they are, one parameter for each item of a list, and JSON for what a query has no form for.
/// What is not there is left out.
fn add_to_query(url: &mut Url, name: &str, value: Value) {
    let items = match value {
        Value::Array(items) => items,
        other => vec![other],
    };
    for item in items {
        let text = match item {
            Value::Null => continue,
            Value::String(text) => text,
            other => other.to_string(),
        };
        url.query_pairs_mut().append_pair(name, &text);
    }
}

/// Tells questions apart, in hexadecimal digits; no part can be taken for the end of another.
fn digest<'t>(asker: &'t Asker, parts: impl Iterator<Item = &'t str>) -> String {
    let mut hasher = Sha256::new();
    for part in [&*asker.policy, &*asker.criterion].into_iter().chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}
