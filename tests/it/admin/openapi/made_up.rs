//! Requests made up from the description: by its schemas, a little off, or nonsense. The same at every run.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use crate::harness::Installation;
use crate::harness::openapi::DOCUMENT;

/// What no schema tells of a field, and a request needs to make sense.
const SENSIBLE: [(&str, &str); 2] = [("unit", "CREDIT"), ("amount", "2.50")];

/// Makes requests up.
pub(super) struct Inventor {
    runner: TestRunner,
    /// What there is, by the name of the parameter that takes it.
    known: BTreeMap<&'static str, Vec<String>>,
}

impl Inventor {
    pub(super) fn new(known: BTreeMap<&'static str, Vec<String>>) -> Self {
        Self {
            runner: TestRunner::deterministic(),
            known,
        }
    }

    fn pick<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.runner).unwrap().current()
    }

    /// Whether something happens that happens in so many of ten cases.
    fn chance(&mut self, of_ten: u32) -> bool {
        self.pick(0..10_u32) < of_ten
    }

    /// A request to an operation, without a token.
    pub(super) fn request(
        &mut self,
        it: &Installation,
        method: &Method,
        path: &str,
        operation: &Value,
    ) -> RequestBuilder {
        let mut url = url::Url::parse("http://gate.invalid").unwrap();
        let mut headers = Vec::new();
        for segment in path.split('/').skip(1) {
            let segment = match segment.strip_prefix('{') {
                Some(name) => self.part(name.trim_end_matches('}'), operation),
                None => segment.to_owned(),
            };
            url.path_segments_mut().unwrap().push(&segment);
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            if !self.chance(3) && parameter["required"] == false {
                continue;
            }
            match parameter["in"].as_str().unwrap() {
                "query" => {
                    let value = self.text_for(&parameter["schema"]);
                    url.query_pairs_mut().append_pair(name, &value);
                }
                "header" if self.chance(9) => {
                    headers.push((name, self.pick("[!-~]{1,40}|[a-z]{256}")));
                }
                _ => {}
            }
        }
        if self.chance(1) {
            url.query_pairs_mut().append_pair("unheard_of", "1");
        }
        let target = &url[url::Position::BeforePath..];
        let mut request = it.raw_admin(method.clone(), target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        match body.is_object() {
            true => self.with_body(request, body),
            false => request,
        }
    }

    /// What stands for a variable part of a path: what there is, what fits, or what does not.
    fn part(&mut self, name: &str, operation: &Value) -> String {
        let known = self.known.get(name).cloned().unwrap_or_default();
        if !known.is_empty() && self.chance(6) {
            return self.pick(prop::sample::select(known));
        }
        let parameters = operation["parameters"].as_array().unwrap();
        let parameter = parameters.iter().find(|one| one["name"] == name).unwrap();
        let text = self.text_for(&parameter["schema"]);
        // An empty part would be another path.
        if text.trim_matches('.').is_empty() {
            "x".to_owned()
        } else {
            text
        }
    }

    /// A value of a schema as it stands in a URL; nonsense at times.
    fn text_for(&mut self, schema: &Value) -> String {
        if self.chance(2) {
            return self.pick(strange_text());
        }
        match self.pick(by_schema(schema)) {
            Value::String(text) => text,
            value => value.to_string(),
        }
    }

    fn with_body(&mut self, request: RequestBuilder, schema: &Value) -> RequestBuilder {
        match self.pick(0..10_u32) {
            0 => request,
            1 => {
                let bytes = self.pick(prop::collection::vec(any::<u8>(), 0..40));
                request
                    .header("content-type", "application/json")
                    .body(bytes)
            }
            2 => request.json(&self.pick(any_json())),
            3 => {
                // A field of another type, or one that nobody knows.
                let mut body = self.pick(by_schema(schema));
                let fields = body.as_object_mut().unwrap();
                let names: Vec<_> = fields
                    .keys()
                    .cloned()
                    .chain(["unheard_of".to_owned()])
                    .collect();
                let name = self.pick(prop::sample::select(names));
                fields.insert(name, self.pick(any_json()));
                request.json(&body)
            }
            _ => request.json(&self.pick(by_schema(schema))),
        }
    }
}

/// Texts that trouble those who do not expect them.
fn strange_text() -> BoxedStrategy<String> {
    let odd = [
        "",
        "\0",
        "%",
        "a/b",
        "../..",
        "'; DROP TABLE booking; --",
        "\u{202e}",
        "-1",
        "1e9",
    ];
    let odd = prop::sample::select(odd.map(str::to_owned).to_vec());
    prop_oneof![odd, "\\PC{0,30}", "[0-9]{1,25}", "[a-f0-9]{1,40}"].boxed()
}

fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        strange_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Values that fit a schema of the description, as far as that tells.
fn by_schema(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(place) = schema["$ref"].as_str() {
        return by_schema(DOCUMENT.pointer(place.trim_start_matches('#')).unwrap());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices: Vec<_> = choices.iter().map(by_schema).collect();
        return prop::strategy::Union::new(choices).boxed();
    }
    if let Some(words) = schema["enum"].as_array() {
        return prop::sample::select(words.clone()).boxed();
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let kinds = kinds.iter().map(|kind| match kind.as_str().unwrap() {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => integers(schema),
        "string" if schema["format"] == "date-time" => times(),
        "string" => texts(),
        "object" => objects(schema),
        "array" => prop::collection::vec(by_schema(&schema["items"]), 0..4)
            .prop_map(Value::from)
            .boxed(),
        other => panic!("nobody makes a value of type {other}"),
    });
    let kinds: Vec<_> = kinds.collect();
    prop::strategy::Union::new(kinds).boxed()
}

fn integers(schema: &Value) -> BoxedStrategy<Value> {
    let low = schema["minimum"].as_i64().unwrap_or(i64::MIN);
    let high = schema["maximum"].as_i64().unwrap_or(i64::MAX);
    let near = low.max(0)..=high.min(5);
    prop_oneof![near, low..=high].prop_map(Value::from).boxed()
}

fn times() -> BoxedStrategy<Value> {
    let times = [
        "2027-03-01T12:00:00Z",
        "2027-03-01T12:00:00.123456789+02:00",
        "0001-01-01T00:00:00Z",
        "9999-12-30T22:00:00Z",
    ];
    prop::sample::select(times.map(Value::from).to_vec()).boxed()
}

/// Among them what fits here: an amount, a unit, a source, an address.
fn texts() -> BoxedStrategy<Value> {
    let sensible = [
        "2.50",
        "CREDIT",
        "calcom",
        "ada@reader.example",
        "1",
        "token:ops",
        "We are closed.",
    ];
    let sensible = prop::sample::select(sensible.map(str::to_owned).to_vec());
    let texts = prop_oneof![3 => sensible, 1 => "\\PC{0,20}", 1 => strange_text()];
    texts.prop_map(Value::from).boxed()
}

fn objects(schema: &Value) -> BoxedStrategy<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(fields) = schema["properties"].as_object() else {
        return prop::collection::btree_map("[a-z]{1,6}", texts(), 0..3)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
            .boxed();
    };
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, schema)| {
            let there = match required.iter().any(|one| one == name) {
                true => Just(true).boxed(),
                false => prop::bool::weighted(0.3).boxed(),
            };
            let value = match SENSIBLE.iter().find(|(field, _)| field == name) {
                Some((_, value)) => {
                    let sensible = Just(Value::from(*value));
                    prop_oneof![3 => sensible, 1 => by_schema(schema)].boxed()
                }
                None => by_schema(schema),
            };
            (Just(name.clone()), there, value)
        })
        .collect();
    fields
        .prop_map(|fields| {
            let there = fields.into_iter().filter(|(_, there, _)| *there);
            Value::Object(
                there
                    .map(|(name, _, value)| (name, value))
                    .collect::<Map<_, _>>(),
            )
        })
        .boxed()
}
