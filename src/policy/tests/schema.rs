//! The schema fits what the loader takes: every file that ships, every kind's example, and no other key.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::policy::codes::Code;
use crate::policy::criterion::CriterionKind;
use crate::policy::diagnostic::SourceFile;
use crate::policy::kinds::KINDS;
use crate::policy::schema::{OF_EVERY_KIND, schema};
use crate::policy::tests::support::load_texts;

fn validator(own: Vec<SourceFile>) -> Validator {
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options.build(&schema(own).unwrap()).unwrap()
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
    wrong_with(Vec::new(), text)
}

/// What is wrong where there are kinds of the installation's own.
#[track_caller]
fn wrong_with(own: Vec<SourceFile>, text: &str) -> Vec<String> {
    let (validator, value) = (validator(own), as_json(text));
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
    assert!(jsonschema::meta::is_valid(&schema(Vec::new()).unwrap()));
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

fn own_kind(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: format!("kinds/{name}.toml"),
        text: text.to_owned(),
    }
}

#[test]
fn it_knows_the_kinds_there_are_and_no_others() {
    let criterion = |lines: &str| {
        format!("schema = 1\n[policy]\nid = \"a\"\n[[criterion]]\nid = \"b\"\n{lines}\n")
    };
    let loyalty = "params = { tier = \"text\", points = \"number\", vip = \"switch\", note = \"text\" }\nurl = 1\n";
    let own = || {
        vec![
            own_kind("loyalty", loyalty),
            own_kind("plain", ""),
            // It is never asked: the loader takes its own kind.
            own_kind("manual", "params = { tier = \"text\" }"),
            own_kind("Not-An-Id", ""),
        ]
    };
    let given = "kind = \"loyalty\"\ntier = \"gold\"\npoints = -7\nvip = true\nnote = \"a\"";
    for (lines, fits) in [
        ("kind = \"manual\"", true),
        ("kind = \"manaul\"", false),
        ("kind = \"plain\"\nmessage = \"No.\"", true),
        ("kind = \"plain\"\nodd = 1", false),
        ("kind = \"loyal\"", false),
        ("kind = \"Not-An-Id\"", false),
        (given, true),
        (&given.replace("points = -7", ""), false),
        (&given.replace("-7", "\"7\""), false),
        (&given.replace("true", "1"), false),
        (&format!("{given}\nodd = 1"), false),
    ] {
        let wrong = wrong_with(own(), &criterion(lines));
        assert_eq!(wrong.is_empty(), fits, "{lines}: {wrong:?}");
    }
    // Without those files, their kinds are unknown.
    assert_ne!(wrong(&criterion("kind = \"plain\"")), [""; 0]);

    let odd = vec![
        own_kind("broken", "params = "),
        own_kind("odd", "params = { tier = \"word\" }"),
    ];
    let found = schema(odd).unwrap_err();
    let found: Vec<_> = found.iter().map(|one| (one.code, &*one.file)).collect();
    let expected = [
        (Code::Syntax, "kinds/broken.toml"),
        (Code::NotAllowed, "kinds/odd.toml"),
    ];
    assert_eq!(found, expected);
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
