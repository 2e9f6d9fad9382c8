//! What a run has done, for its report: in all, and for each source how many bookings were compared
//! (`checked`), followed (`repaired`) and left as they are known (`deferred`), why, and which.

use serde_json::{Map, Value, json};

use crate::domain::ids::{SourceName, Uid};
use crate::gate::Inner;
use crate::gate::jobs::Run;
use crate::provider::CallError;

const CHECKED: &str = "checked";
const REPAIRED: &str = "repaired";
const DEFERRED: &str = "deferred";
const FAILED: &str = "failed";
/// Bookings of one source that are named for each reason; the rest are only counted.
const NAMED_MAX: usize = 20;
/// Under this name stands what is told of each source.
const SOURCES: &str = "sources";

/// So many were compared.
pub(super) fn checked(run: &mut Run, source: &SourceName, more: usize) {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    count(run, source, CHECKED, more);
}

/// One was followed.
pub(super) fn repaired(run: &mut Run, source: &SourceName, uid: &Uid, why: &'static str) {
    count(run, source, REPAIRED, 1);
    because(run, source, uid, why);
}

/// One was left as it is known.
pub(super) fn deferred(run: &mut Run, source: &SourceName, uid: &Uid, why: &'static str) {
    count(run, source, DEFERRED, 1);
    because(run, source, uid, why);
}

/// The source is done with, for this time.
pub(super) fn end(gate: &Inner, source: &SourceName, run: &mut Run, error: Option<&CallError>) {
    for what in [CHECKED, REPAIRED, DEFERRED] {
        count(run, source, what, 0);
        let number = about(run, source)[what].as_i64().unwrap_or(0);
        gate.metrics.reconciled(source, what, number.unsigned_abs());
    }
    if let Some(error) = error {
        run.count(FAILED, 1);
        gate.metrics.reconciled(source, FAILED, 1);
        about(run, source).insert(FAILED.to_owned(), json!(error.to_string()));
    }
}

fn count(run: &mut Run, source: &SourceName, what: &'static str, more: i64) {
    run.count(what, more);
    add(about(run, source), what, more);
}

fn because(run: &mut Run, source: &SourceName, uid: &Uid, why: &'static str) {
    let about = about(run, source);
    add(object(about, "why"), why, 1);
    let named = object(about, "bookings").entry(why).or_insert(json!([]));
    if let Some(named) = named.as_array_mut()
        && named.len() < NAMED_MAX
        && !named.contains(&json!(uid.as_str()))
    {
        named.push(json!(uid.as_str()));
    }
}

fn about<'r>(run: &'r mut Run, source: &SourceName) -> &'r mut Map<String, Value> {
    let sources = run.notes.entry(SOURCES.to_owned()).or_insert(json!({}));
    object(as_object(sources), source.as_str())
}

fn add(to: &mut Map<String, Value>, what: &str, more: i64) {
    let number = to.get(what).and_then(Value::as_i64).unwrap_or(0);
    to.insert(what.to_owned(), json!(number + more));
}

fn object<'m>(within: &'m mut Map<String, Value>, name: &str) -> &'m mut Map<String, Value> {
    as_object(within.entry(name).or_insert(Value::Null))
}

/// The value as an object, made one if it is none.
fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was just made one")
}
