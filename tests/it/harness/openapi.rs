//! Holds what the admin door answers against its description: each answer that a story gets must be one
//! that is described, and fit.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(bookgate::http::openapi()).unwrap());

const PROBLEM: &str = "#/components/schemas/Problem";

/// A path of the description, and what stands behind the variable parts of a path that was asked.
fn fits<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let (wanted, asked) = (template.split('/'), path.split('/'));
    if wanted.clone().count() != asked.clone().count() {
        return None;
    }
    let mut parts = Vec::new();
    for (wanted, asked) in wanted.zip(asked) {
        match wanted.starts_with('{') {
            true => parts.push(asked),
            false if wanted == asked => {}
            false => return None,
        }
    }
    Some(parts)
}

/// The path of the description that a request was made to: the one with the fewest variable parts.
fn template(path: &str) -> Option<&'static str> {
    let paths = DOCUMENT["paths"].as_object().unwrap().keys();
    let fitting = paths.filter_map(|template| Some((fits(template, path)?.len(), template)));
    fitting.min().map(|(_, template)| template.as_str())
}

/// Fails unless this answer is described. What is asked of a path that is none, or by a method that it does
/// not take, is answered with a problem.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &str) {
    let asked = format!("{method} {path}: {status} {body:.400}");
    assert!(headers.contains_key("x-request-id"), "{asked}");
    let kind = headers
        .get("content-type")
        .map(|kind| kind.to_str().unwrap());
    let operation = template(path).map(|path| &DOCUMENT["paths"][path]);
    let operation = operation.map(|methods| &methods[method.to_ascii_lowercase()]);
    let Some(operation) = operation.filter(|operation| operation.is_object()) else {
        if kind == Some("application/problem+json") {
            fit(PROBLEM, body, &asked);
        }
        return;
    };
    // The public door has other paths.
    if status == 404 && body.contains("there is nothing at") {
        return fit(PROBLEM, body, &asked);
    }
    let response = &operation["responses"][status.to_string()];
    assert!(
        response.is_object(),
        "an answer that is not described: {asked}"
    );
    let Some(content) = response["content"].as_object() else {
        return assert!(body.is_empty(), "a body that is not described: {asked}");
    };
    let kind = kind.unwrap_or_else(|| panic!("a body without a content type: {asked}"));
    assert!(
        content.contains_key(kind),
        "{kind} is not described: {asked}"
    );
    if kind.ends_with("json") {
        let escape = |text: &str| text.replace('~', "~0").replace('/', "~1");
        let (path, method) = (template(path).unwrap(), method.to_ascii_lowercase());
        let (path, kind) = (escape(path), escape(kind));
        let place = format!("#/paths/{path}/{method}/responses/{status}/content/{kind}/schema");
        fit(&place, body, &asked);
    }
}

/// Fails unless a text is JSON that fits the schema at this place of the description.
#[track_caller]
pub(crate) fn fit(place: &str, body: &str, asked: &str) {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {asked}"));
    let wrong: Vec<_> = validator(place)
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{asked}");
}

/// Whether a value fits the schema at this place.
pub(crate) fn is_valid(place: &str, value: &Value) -> bool {
    validator(place).is_valid(value)
}

fn validator(place: &str) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<BTreeMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    if let Some(made) = MADE.lock().unwrap().get(place) {
        return Arc::clone(made);
    }
    let schema = DOCUMENT.pointer(place.trim_start_matches('#')).unwrap();
    // What it refers to has to be in the same document.
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [schema],
        "components": DOCUMENT["components"],
    });
    let made = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema);
    let made = Arc::new(made.unwrap_or_else(|why| panic!("{place}: {why}")));
    MADE.lock()
        .unwrap()
        .insert(place.to_owned(), Arc::clone(&made));
    made
}
