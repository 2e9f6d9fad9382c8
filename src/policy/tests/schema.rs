//! The schema fits what the loader takes: every file that ships, every kind's example, and no other key.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::policy::codes::Code;
use crate::policy::criterion::CriterionKind;
use crate::policy::kinds::KINDS;
use crate::policy::schema::{OF_EVERY_KIND, schema};
use crate::policy::tests::support::load_texts;

fn validator() -> Validator {
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options.build(&schema()).unwrap()
}

/// As an editor sees it: times are texts.
fn as_json(toml: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(moment) => json!(moment.to_string()),
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table
                .into_iter()
                .map(|(key, value)| (key, convert(value)))
                .collect(),
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(switch) => json!(switch),
        }
    }
    convert(toml::Value::Table(toml.parse().unwrap()))
}

#[track_caller]
fn wrong(text: &str) -> Vec<String> {
    let (validator, value) = (validator(), as_json(text));
    let errors = validator.iter_errors(&value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// A policy with a criterion of this kind: its example, and further lines.
fn with(kind: &dyn CriterionKind, more: &str) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"a\"\n[credits]\ncost = {{ base = \"1\" }}\n[[criterion]]\nid = \"b\"\nkind = \"{}\"\n{}\n{more}\n",
        kind.name(),
        kind.example()
    )
}

#[test]
fn the_schema_is_one_and_takes_what_ships() {
    assert!(jsonschema::meta::is_valid(&schema()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(wrong(&text), [""; 0], "{}", path.display());
        }
    }
}

#[test]
fn it_takes_each_kind_s_example_and_no_other_key() {
    for kind in KINDS {
        let example = with(*kind, "");
        assert_eq!(wrong(&example), [""; 0], "{example}");
        let odd = with(*kind, "odd = 1");
        assert_ne!(wrong(&odd), [""; 0], "{odd}");
        assert_ne!(
            wrong(&odd.replace("odd = 1", "on_error = \"odd\"")),
            [""; 0]
        );
    }
    for odd in [
        "[polcy]\n",
        "[credits]\ncost = { base = 2 }\n",
        "[require]\nall = [7]\n",
    ] {
        let text = format!("schema = 1\n{odd}[policy]\nid = \"a\"\n");
        assert_ne!(wrong(&text), [""; 0], "{text}");
    }
}

/// The loader says which keys it knows, to whoever writes another.
#[test]
fn a_kind_describes_exactly_the_keys_that_it_reads() {
    for kind in KINDS {
        let found = load_texts(&[&with(*kind, "odd = 1")]).unwrap_err();
        let unknown = found.iter().find(|one| one.code == Code::UnknownKey);
        let help = unknown.and_then(|one| one.help.clone()).unwrap();
        let read: BTreeSet<&str> = help.split('`').skip(1).step_by(2).collect();
        let described = OF_EVERY_KIND.iter().chain(kind.keys());
        let described: BTreeSet<&str> = described.map(|key| key.name).collect();
        assert_eq!(read, described, "{}: {help}", kind.name());
    }
}
