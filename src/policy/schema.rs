//! The JSON Schema of policy files (2020-12), for editors: what they offer while one types, and underline.
//! It knows less than the loader, which alone decides.

mod file;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::diagnostic::{Diagnostics, SourceFile};
use super::keys::Key;
use super::keys::Shape::{
    self, Amount, Anything, Date, Duration, Either, Id, List, Many, Moment, Named, Other, Switch,
    Table, Text, TimeOfDay, Whole, Word,
};
use super::kinds;
use super::kinds::http::Preset;
use file::{FILE, LIST, REQUIRE};

pub use file::OF_EVERY_KIND;

/// What an amount looks like.
const AMOUNT: &str = r"^[0-9]+(\.[0-9]+)?$";
/// What a duration looks like.
const DURATION: &str = r"^([0-9]+(m|h|d|w|s))+$";
/// What an id looks like.
const ID: &str = "^[a-z0-9][a-z0-9-]{0,63}$";

/// The schema, with the kinds of the installation's own: the files `kinds/NAME.toml` of the policies' folder.
///
/// # Errors
/// What is wrong with those files, so that it is not known which keys their kinds have.
pub fn schema(own: Vec<SourceFile>) -> Result<Value, Diagnostics> {
    let mut whole = table(FILE.iter());
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    whole["title"] = json!("A policy of bookgate");
    let mut definitions = Map::new();
    let condition =
        json!({ "anyOf": [{ "type": "string", "pattern": ID }, table(REQUIRE.iter())] });
    definitions.insert("condition".to_owned(), condition);
    definitions.insert("list".to_owned(), table(LIST.iter()));
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for kind in kinds::all() {
        let keys = OF_EVERY_KIND.iter().chain(kind.keys());
        let mut one = table(keys);
        one["properties"]["kind"] = json!({ "const": kind.name() });
        one["examples"] = json!([kind.example()]);
        definitions.insert(definition(kind.name()), one);
        names.push(kind.name().to_owned());
    }
    for (name, preset) in own.into_iter().filter_map(Preset::of) {
        let mut one = table(OF_EVERY_KIND.iter());
        match preset.keys() {
            Ok(params) => add_params(&mut one, params),
            Err(found) => wrong.extend(found),
        }
        one["properties"]["kind"] = json!({ "const": name });
        definitions.insert(definition(&name), one);
        names.push(name);
    }
    definitions.insert("criterion".to_owned(), criterion(&names));
    whole["$defs"] = Value::Object(definitions);
    match wrong.is_empty() {
        true => Ok(whole),
        false => Err(Diagnostics::new(wrong)),
    }
}

/// All parameters have to be there. One that is called like a key of every kind is that key.
fn add_params(kind: &mut Value, params: Vec<(String, Shape)>) {
    let mut required: BTreeSet<String> = params.iter().map(|(name, _)| name.clone()).collect();
    for (name, shape) in params {
        let property = &mut kind["properties"][name];
        if property.is_null() {
            *property = of(shape);
        }
    }
    required.extend(["id", "kind"].map(str::to_owned));
    kind["required"] = json!(required);
}

/// Any criterion: which keys it may have depends on its kind.
fn criterion(names: &[String]) -> Value {
    let cases = names.iter().map(|name| {
        json!({
            "if": { "properties": { "kind": { "const": name } }, "required": ["kind"] },
            "then": refer(&definition(name)),
        })
    });
    json!({
        "type": "object",
        "required": ["id", "kind"],
        "properties": { "kind": { "enum": names, "description": "What it asks" } },
        "allOf": cases.collect::<Vec<_>>(),
    })
}

fn definition(kind: &str) -> String {
    // A slash would be a step of the path that refers to it.
    format!("kind-{}", kind.replace('/', "-"))
}

fn refer(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn table<'k>(keys: impl Iterator<Item = &'k Key>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for key in keys {
        let mut value = of(key.shape);
        value["description"] = json!(key.about);
        properties.insert(key.name.to_owned(), value);
        if key.required {
            required.push(key.name);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn of(shape: Shape) -> Value {
    let text = json!({ "type": "string" });
    match shape {
        // Dates and times of TOML: there are none in JSON, and editors take them for texts.
        Text | Date | TimeOfDay | Moment => text,
        Id => json!({ "type": "string", "pattern": ID }),
        Amount => json!({ "type": "string", "pattern": AMOUNT }),
        Duration => json!({ "type": "string", "pattern": DURATION }),
        Switch => json!({ "type": "boolean" }),
        Whole(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Word(words) => json!({ "enum": words }),
        Many(item) => json!({ "type": "array", "items": of(*item) }),
        Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|shape| of(*shape)).collect::<Vec<_>>() })
        }
        Table(keys) => table(keys.iter()),
        Named(inner) => json!({ "type": "object", "additionalProperties": of(*inner) }),
        List => {
            let named = json!({
                "type": "object",
                "properties": { "list": text },
                "required": ["list"],
                "additionalProperties": false,
            });
            let entries = json!({ "type": "array", "items": text });
            json!({ "anyOf": [text, entries, named, refer("list")] })
        }
        Other(definition) => refer(definition),
        Anything => json!({}),
    }
}
