//! Which value holds, and where relative paths start.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect;

use super::super::{Database, Environment, FILE_VARIABLE, LoadOptions, Settings, effective};
use super::{ONE_SOURCE, env, load};
use crate::domain::amount::UnitCode;

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = "[worker]\nconcurrency = 5\nbatch_max = 6\nretry_schedule_ms = [1, 2, 3]\n";
    let variables = [
        ("BOOKGATE__WORKER__BATCH_MAX", "7"),
        ("BOOKGATE__WORKER__RETRY_SCHEDULE_MS", "10, 20"),
        ("BOOKGATE__UNITS__HOURS__SCALE", "1"),
    ];
    let settings = load(text, &variables).unwrap();
    assert_eq!(settings.worker.concurrency, 5);
    assert_eq!(settings.worker.batch_max, 7);
    assert_eq!(settings.worker.retry_schedule_ms, [10, 20]);
    assert_eq!(
        settings.worker.lease_ms,
        load("", &[]).unwrap().worker.lease_ms
    );
    assert_eq!(
        settings.units[&UnitCode::try_from("HOURS").unwrap()].scale,
        1
    );
    assert_eq!(
        settings.units[&UnitCode::try_from("CREDIT").unwrap()].scale,
        2
    );
}

#[test]
fn a_shorter_list_replaces_the_longer_one() {
    let settings = load("[worker]\nretry_schedule_ms = [5]\n", &[]).unwrap();
    assert_eq!(settings.worker.retry_schedule_ms, [5]);
    let settings = load("", &[("BOOKGATE__WORKER__RETRY_SCHEDULE_MS", "")]).unwrap();
    assert!(settings.worker.retry_schedule_ms.is_empty());
}

#[test]
fn a_whole_source_can_come_from_the_environment() {
    let variables = [
        ("BOOKGATE__SOURCES__CALCOM__PROVIDER", "calcom"),
        (
            "BOOKGATE__SOURCES__CALCOM__SIGNING_SECRETS",
            "env:HOOK_SECRET,env:BOOKGATE__ODD",
        ),
        ("BOOKGATE__SOURCES__CALCOM__API__KEY", "env:API_KEY"),
        ("BOOKGATE__ADMIN__TOKENS__OPS__ROLE", "read"),
        ("BOOKGATE__ADMIN__TOKENS__OPS__SECRET", "env:API_KEY"),
        ("BOOKGATE__ODD", "named by a reference, so no setting"),
        ("BOOKGATE_LOG", "debug"),
        ("BOOKGATE_CALCOM_SECRET", "x"),
    ];
    let from_env = load("", &variables).unwrap();
    let text = ONE_SOURCE.replace("\"]", "\", \"env:BOOKGATE__ODD\"]")
        + "[admin.tokens.ops]\nrole = \"read\"\nsecret = \"env:API_KEY\"\n";
    let from_file = load(&text, &variables[5..]).unwrap();
    assert_eq!(from_env, from_file);
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let text = "[journal]\ndir = \"var/journal\"\n[policies]\ndir = \"/srv/policies\"\n";
    let settings = load(text, &[]).unwrap();
    assert_eq!(settings.journal.dir, Path::new("/etc/bookgate/var/journal"));
    assert_eq!(settings.policies.dir, Path::new("/srv/policies"));
    let database = |url: &str| {
        load(&format!("[storage]\nurl = \"{url}\"\n"), &[])
            .unwrap()
            .storage
            .database
    };
    assert_eq!(
        database("sqlite://bookgate.db"),
        Database::Sqlite(PathBuf::from("/etc/bookgate/bookgate.db"))
    );
    assert_eq!(
        database("sqlite:///var/lib/bookgate.db"),
        Database::Sqlite(PathBuf::from("/var/lib/bookgate.db"))
    );
}

/// A folder with a settings file in the working directory and one elsewhere.
fn folder_with_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("conf")).unwrap();
    let log = |level: &str| format!("[log]\nlevel = \"{level}\"\n");
    fs::write(folder.path().join("bookgate.toml"), log("warn")).unwrap();
    fs::write(folder.path().join("conf/named.toml"), log("debug")).unwrap();
    fs::write(folder.path().join("conf/other.toml"), log("trace")).unwrap();
    folder
}

#[test]
fn the_file_is_the_argument_else_the_variable_else_the_usual_one() {
    let folder = folder_with_files();
    let load = |file: Option<&str>, variable: Option<&str>| {
        let options = LoadOptions {
            file: file.map(PathBuf::from),
            working_dir: folder.path().to_owned(),
            env: variable
                .map(|path| (FILE_VARIABLE, path))
                .into_iter()
                .collect(),
        };
        Settings::load(&options).unwrap()
    };
    assert_eq!(load(None, None).log.level.as_str(), "warn");
    assert_eq!(
        load(None, Some("conf/other.toml")).log.level.as_str(),
        "trace"
    );
    let named = load(Some("conf/named.toml"), Some("conf/other.toml"));
    assert_eq!(named.log.level.as_str(), "debug");
    assert_eq!(named.journal.dir, folder.path().join("conf/journal"));
}

#[test]
fn a_named_file_must_be_there_the_usual_one_need_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = LoadOptions {
        working_dir: folder.path().to_owned(),
        ..LoadOptions::default()
    };
    let settings = Settings::load(&options).unwrap();
    assert_eq!(settings.policies.dir, folder.path().join("policies"));
    options.file = Some("absent.toml".into());
    expect![[r#"
        error: cannot read the settings file absent.toml
         |
         = note: No such file or directory (os error 2)"#]]
    .assert_eq(&Settings::load(&options).unwrap_err().to_string());
}

#[test]
fn effective_settings_say_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bookgate.toml"), ONE_SOURCE).unwrap();
    let variables = [("HOOK_SECRET", "x"), ("BOOKGATE__LOG__LEVEL", "warn")];
    let options = LoadOptions {
        file: None,
        working_dir: folder.path().to_owned(),
        env: Environment::from_iter(variables),
    };
    let (settings, problems) = effective(&options).unwrap();
    let shown: Vec<_> = settings
        .iter()
        .filter(|setting| !setting.key.starts_with("server") && !setting.key.starts_with("worker"))
        .map(|s| format!("{} = {} ({}) {:?}", s.key, s.value, s.origin, s.secrets_set))
        .collect();
    expect![[r#"
        admin.failed_log_in_delay_ms = 250 (default) []
        admin.failed_log_ins_max = 10 (default) []
        admin.session_ms = 28800000 (default) []
        callouts.allow_private = [] (default) []
        callouts.concurrency = 32 (default) []
        callouts.concurrency_per_host = 8 (default) []
        callouts.hosts = [] (default) []
        journal.age_max_ms = 604800000 (default) []
        journal.bytes_max = 1073741824 (default) []
        journal.dir = "journal" (default) []
        journal.segment_bytes_max = 16777216 (default) []
        log.format = "text" (default) []
        log.level = "warn" (BOOKGATE__LOG__LEVEL) []
        policies.dir = "policies" (default) []
        policies.look_ms = 5000 (default) []
        policies.start_with_last_good = true (default) []
        reconcile.days_back = 7 (default) []
        reconcile.interval_ms = 900000 (default) []
        retention.batch_max = 200 (default) []
        retention.deliveries_days = 400 (default) []
        retention.delivery_bodies_days = 30 (default) []
        retention.facts_days = 400 (default) []
        retention.idempotency_days = 400 (default) []
        retention.interval_ms = 86400000 (default) []
        retention.unparsed_bodies_days = 180 (default) []
        sources.calcom.api.base_url = "https://api.cal.com" (default) []
        sources.calcom.api.call_timeout_ms = 10000 (default) []
        sources.calcom.api.connect_timeout_ms = 5000 (default) []
        sources.calcom.api.dialect = "v2" (default) []
        sources.calcom.api.key = "env:API_KEY" (bookgate.toml:6) [false]
        sources.calcom.api.requests_per_minute = 120 (default) []
        sources.calcom.api.version_header = "2024-08-13" (default) []
        sources.calcom.created = "decide" (default) []
        sources.calcom.host_confirm = "respect" (default) []
        sources.calcom.provider = "calcom" (bookgate.toml:3) []
        sources.calcom.series_settle_ms = 5000 (default) []
        sources.calcom.settle_ms = 10000 (default) []
        sources.calcom.shared_refusal = "defer" (default) []
        sources.calcom.signing_secrets = ["env:HOOK_SECRET"] (bookgate.toml:4) [true]
        sources.calcom.unknown_canceller = "organizer" (default) []
        storage.busy_timeout_ms = 5000 (default) []
        storage.connections_max = 10 (default) []
        storage.read_connections = 4 (default) []
        storage.statement_timeout_ms = 10000 (default) []
        storage.tls = "prefer" (default) []
        storage.url = "sqlite://bookgate.db" (default) []
        units.CREDIT.scale = 2 (default) []"#]]
    .assert_eq(&shown.join("\n"));
    assert!(
        problems
            .unwrap_err()
            .to_string()
            .contains("API_KEY is not set")
    );
    let options = LoadOptions {
        env: env(&[]),
        ..options
    };
    assert!(effective(&options).unwrap().1.is_ok());
}
