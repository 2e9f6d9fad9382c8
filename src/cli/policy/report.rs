//! What was found about policies, in the form that whoever reads it takes: people, programs, code scanning
//! (SARIF 2.1.0), GitHub's annotations.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::policy::codes::{Code, Severity};
use crate::policy::{Diagnostic, Diagnostics, PolicySet};

/// Where SARIF's own schema is.
const SARIF_SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// How to print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For GitHub Actions: workflow commands that annotate the lines
    Github,
}

/// What was found.
pub(super) struct Report<'r> {
    /// The policies, if nothing is wrong with them.
    pub(super) set: Option<&'r PolicySet>,
    /// What is wrong, or worth knowing.
    pub(super) found: &'r Diagnostics,
    /// Their folder, as it is to be shown.
    pub(super) dir: PathBuf,
    /// Whether that is enough for the command to fail.
    pub(super) failed: bool,
}

impl Report<'_> {
    /// The answer of `--format json`.
    pub(super) fn json(&self) -> Value {
        let policies = self.set.map(|set| {
            let ids = set.policies().map(|policy| policy.id.to_string());
            ids.collect::<Vec<_>>()
        });
        json!({
            "ok": !self.failed,
            "set_hash": self.set.map(|set| set.hash().to_string()),
            "policies": policies,
            "errors": self.found.count(Severity::Error),
            "warnings": self.found.count(Severity::Warning),
            "notes": self.found.count(Severity::Note),
            "diagnostics": self.found,
        })
    }

    /// The answer of `--format sarif`.
    pub(super) fn sarif(&self) -> Value {
        let results: Vec<Value> = self.found.iter().map(|one| self.result(one)).collect();
        json!({
            "$schema": SARIF_SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "bookgate",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
                }},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    fn result(&self, one: &Diagnostic) -> Value {
        let mut text = one.message.clone();
        if let Some(help) = &one.help {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n{help}");
        }
        let related = one.related.iter().map(|related| {
            let region = json!({ "startLine": related.line, "startColumn": related.column });
            let mut location = self.location(&related.file, &region);
            location["message"] = json!({ "text": related.message });
            location
        });
        let region = json!({
            "startLine": one.line,
            "startColumn": one.column,
            "endLine": one.end_line,
            "endColumn": one.end_column,
        });
        json!({
            "ruleId": one.code,
            "ruleIndex": Code::ALL.iter().position(|code| *code == one.code),
            "level": level(one.severity),
            "message": { "text": text },
            "locations": [self.location(&one.file, &region)],
            "relatedLocations": related.collect::<Vec<_>>(),
        })
    }

    fn location(&self, file: &str, region: &Value) -> Value {
        let uri = uri(&self.path(file));
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": region } })
    }

    /// The answer of `--format github`.
    pub(super) fn github(&self) -> String {
        let mut text = String::new();
        for one in self.found.iter() {
            let command = match one.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "notice",
            };
            let mut message = one.message.clone();
            if let Some(help) = &one.help {
                message.push('\n');
                message.push_str(help);
            }
            let file = self.path(&one.file).display().to_string();
            // Columns are only taken where it is one line.
            let columns = match one.line == one.end_line {
                true => format!(",col={},endColumn={}", one.column, one.end_column),
                false => String::new(),
            };
            let _ = writeln!(
                text,
                "::{command} file={},line={},endLine={}{columns},title={}::{}",
                property(&file),
                one.line,
                one.end_line,
                property(one.code.as_str()),
                data(&message)
            );
        }
        text
    }

    /// A file as it is shown: diagnostics know its name in the folder.
    fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }
}

fn rule(code: Code) -> Value {
    let why = code.explanation().map_or(code.rule(), |about| about.why);
    json!({
        "id": code,
        "shortDescription": { "text": code.rule() },
        "fullDescription": { "text": why },
        "help": { "text": format!("bookgate policy explain-code {code}") },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A path as a relative reference, or as a file's URI where it is absolute.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    if path.is_absolute() {
        uri.push_str("file://");
    }
    for byte in path.display().to_string().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

/// The text of a workflow command.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D");
    text.replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::expect;

    use super::*;
    use crate::policy::SourceFile;

    fn found() -> Diagnostics {
        let source = Arc::new(SourceFile {
            name: "ä b,c.toml".to_owned(),
            text: "schema = 1\nkünd = 2\nlast = \"\"\"\n\"\"\"\n".to_owned(),
        });
        let other = Diagnostic::new(&source, Code::DuplicateId, 11..12, "50 %: twice,\nreally");
        Diagnostics::new(vec![
            Diagnostic::new(&source, Code::UnknownKey, 11..16, "unknown key").help("known: kind"),
            other.relate(&source, 0..6, "the other one"),
            Diagnostic::new(&source, Code::NoTests, 21..35, "of several lines"),
        ])
    }

    fn report(found: &Diagnostics) -> Report<'_> {
        Report {
            set: None,
            found,
            dir: PathBuf::from("my policies"),
            failed: true,
        }
    }

    #[test]
    fn workflow_commands_are_escaped() {
        expect![[r#"
            ::error file=my policies/ä b%2Cc.toml,line=2,endLine=2,col=1,endColumn=5,title=BG0103::unknown key%0Aknown: kind
            ::error file=my policies/ä b%2Cc.toml,line=2,endLine=2,col=1,endColumn=2,title=BG0204::50 %25: twice,%0Areally
            ::notice file=my policies/ä b%2Cc.toml,line=3,endLine=4,title=BG0402::of several lines
        "#]]
        .assert_eq(&report(&found()).github());
    }

    /// By the schema that OASIS publishes with the standard.
    #[test]
    fn sarif_is_as_the_standard_has_it() {
        const STANDARD: &str = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/sarif-2.1.0.schema.json"
        );
        let found = found();
        let sarif = report(&found).sarif();
        let standard = std::fs::read_to_string(STANDARD).unwrap();
        // Two patterns there have a bracket too many, and are no regular expressions to the strict.
        let standard = standard.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
        let standard: Value = serde_json::from_str(&standard).unwrap();
        let standard = jsonschema::validator_for(&standard).unwrap();
        let wrong = |sarif: &Value| -> Vec<String> {
            let errors = standard.iter_errors(sarif);
            errors
                .map(|error| format!("{} at {}", error, error.instance_path()))
                .collect()
        };
        assert_eq!(wrong(&sarif), [""; 0]);
        let mut odd = sarif.clone();
        odd["runs"][0]["results"][0]["level"] = "bad".into();
        assert_ne!(wrong(&odd), [""; 0]);
        let run = &sarif["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), Code::ALL.len());
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 3);
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
            let at = &result["locations"][0]["physicalLocation"];
            assert_eq!(
                at["artifactLocation"]["uri"],
                "my%20policies/%C3%A4%20b%2Cc.toml"
            );
            let number = |key: &str| at["region"][key].as_u64().unwrap();
            let (start, end) = (
                (number("startLine"), number("startColumn")),
                (number("endLine"), number("endColumn")),
            );
            assert!(start >= (1, 1) && end >= start, "{at}");
        }
        assert_eq!(
            results[1]["relatedLocations"][0]["message"]["text"],
            "the other one"
        );
        assert_eq!(uri(Path::new("/a b")), "file:///a%20b");
    }
}
