//! How to add a kind of criterion in a crate of your own: a daemon that is bookgate and knows one kind more,
//! `acme/fortnight`, which is met in every second week.
//!
//! Your crate depends on `bookgate`, and its `main` is [`main_of_your_daemon`]. Nothing else is different: the
//! kind has its place in policies, in `bookgate policy schema`, in diagnostics, in tests inside of policies, and
//! in the archive of decisions. What a kind has to keep to is said at [`CriterionKind`] and [`Criterion`]; above
//! all, the same facts always have to give the same answer. A kind that needs what bookgate does not know asks
//! your own service over HTTP instead (`kind = "http"`), without any Rust.

use std::process::ExitCode;
use std::sync::{Arc, Once};

use bookgate::cli::{self, Cli, Context};
use bookgate::domain::clock::SystemClock;
use bookgate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use bookgate::policy::facts::Facts;
use bookgate::policy::keys::{Key, Shape};
use bookgate::policy::kinds;
use bookgate::policy::reader::Table;
use bookgate::settings::LoadOptions;
use clap::Parser;

/// The kind: how it is written.
struct Fortnight;

/// One criterion of that kind: what was written, ready to be asked.
#[derive(Debug)]
struct EverySecondWeek {
    even: bool,
}

const WEEKS: [(&str, bool); 2] = [("even", true), ("odd", false)];

impl CriterionKind for Fortnight {
    fn name(&self) -> &'static str {
        "acme/fortnight"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["week"]
    }

    fn default_message(&self) -> &'static str {
        "We meet every second week, and not in week {week}."
    }

    fn example(&self) -> &'static str {
        "weeks = \"even\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[Key::new(
            "weeks",
            Shape::Word(&["even", "odd"]),
            "In which weeks of the year, as ISO 8601 counts them",
        )
        .required()];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let weeks = table.required("weeks", |table, key| table.choice(key, &WEEKS));
        Some(Box::new(EverySecondWeek { even: weeks?.value }))
    }
}

impl Criterion for EverySecondWeek {
    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let begins = context.zone.to_datetime(facts.details.start);
        let week = begins.date().iso_week_date().week();
        let even = week % 2 == 0;
        Finding::of(even == self.even).with("week", week.to_string())
    }
}

/// What stands in `src/main.rs` of your crate, as its `main`.
fn main_of_your_daemon() -> ExitCode {
    kinds::add(&[&Fortnight]).expect("the kind is well named, and nobody adds another");
    cli::main()
}

const POLICY: &str = r#"
schema = 1

[policy]
id = "open-studio"
timezone = "Europe/Lisbon"

[[criterion]]
id = "our-week"
kind = "acme/fortnight"
weeks = "even"
message = "The studio is open in even weeks; this is week {week}."

[require]
all = ["our-week"]

[[test]]
name = "a Sunday night that is Monday already in UTC"
now = 2027-02-01T09:00:00Z
booking = { start = 2027-02-28T23:30:00Z }
expect = { decision = "accept" }

[[test]]
name = "the week after"
now = 2027-02-01T09:00:00Z
booking = { start = 2027-03-01T09:00:00Z }
expect = { decision = "reject", message = "The studio is open in even weeks; this is week 9." }
"#;

/// Runs a command as the daemon's own `main` would.
fn run(arguments: &[&str]) -> (Result<(), String>, String) {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| kinds::add(&[&Fortnight]).unwrap());
    let mut out = Vec::new();
    let mut context = Context {
        options: LoadOptions::of_process(None).unwrap(),
        clock: Arc::new(SystemClock),
        out: &mut out,
    };
    let cli = Cli::try_parse_from([&["bookgate"], arguments].concat()).unwrap();
    let ended = cli::run(cli, &mut context).map_err(|error| error.to_string());
    (ended, String::from_utf8(out).unwrap())
}

fn check(policy: &str) -> (Result<(), String>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("studio.toml"), policy).unwrap();
    let folder = folder.path().to_str().unwrap();
    run(&["policy", "test", folder, "--require-coverage"])
}

#[test]
fn a_policy_with_the_kind_passes_its_own_tests() {
    // Named here, so that it is compiled as it would be in a crate of its own.
    let _: fn() -> ExitCode = main_of_your_daemon;
    let (ended, out) = check(POLICY);
    assert_eq!(ended, Ok(()), "{out}");
}

#[test]
fn its_mistakes_are_told_like_all_others() {
    let (ended, _) = check(&POLICY.replace("\"even\"", "\"evne\""));
    let told = ended.unwrap_err();
    assert!(
        told.contains("BG0104") && told.contains("did you mean"),
        "{told}"
    );
    let (ended, _) = check(&POLICY.replace("acme/fortnight", "acme/fortnite"));
    let told = ended.unwrap_err();
    assert!(told.contains("did you mean `acme/fortnight`?"), "{told}");
}

#[test]
fn editors_are_told_of_it() {
    let (ended, schema) = run(&["policy", "schema"]);
    assert_eq!(ended, Ok(()));
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let kinds = &schema["$defs"]["criterion"]["properties"]["kind"]["enum"];
    let kinds = kinds.as_array().unwrap();
    assert!(kinds.contains(&"acme/fortnight".into()), "{kinds:?}");
}

#[test]
fn a_name_that_could_be_one_of_ours_is_refused() {
    struct Taken;
    impl CriterionKind for Taken {
        fn name(&self) -> &'static str {
            "fortnight"
        }
        fn placeholders(&self) -> &'static [&'static str] {
            &[]
        }
        fn default_message(&self) -> &'static str {
            ""
        }
        fn example(&self) -> &'static str {
            ""
        }
        fn keys(&self) -> &'static [Key] {
            &[]
        }
        fn parse(&self, _: &Table<'_>, _: &Scope<'_>) -> Option<Box<dyn Criterion>> {
            None
        }
    }
    let refused = kinds::add(&[&Taken]).unwrap_err();
    assert_eq!(refused, kinds::AddError::BadName("fortnight"));
}
