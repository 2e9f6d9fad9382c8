//! What a run has done, for its report: in all, and for each source how many bookings were compared
//! (`checked`), followed (`repaired`) and left as they are known (`deferred`), and why.

use serde_json::{Map, Value, json};

use crate::domain::ids::SourceName;
use crate::gate::Inner;
use crate::gate::jobs::Run;
use crate::provider::CallError;

const CHECKED: &str = "checked";
const REPAIRED: &str = "repaired";
const DEFERRED: &str = "deferred";
const FAILED: &str = "failed";
/// Under this name stands what is told of each source.
const SOURCES: &str = "sources";

/// So many were compared.
pub(super) fn checked(run: &mut Run, source: &SourceName, more: usize) {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    count(run, source, CHECKED, more);
}

/// One was followed.
pub(super) fn repaired(run: &mut Run, source: &SourceName, why: &'static str) {
    count(run, source, REPAIRED, 1);
    because(run, source, why);
}

/// One was left as it is known.
pub(super) fn deferred(run: &mut Run, source: &SourceName, why: &'static str) {
    count(run, source, DEFERRED, 1);
    because(run, source, why);
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

fn because(run: &mut Run, source: &SourceName, why: &'static str) {
    add(object(about(run, source), "why"), why, 1);
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
