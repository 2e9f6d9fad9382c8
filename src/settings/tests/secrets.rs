//! Secrets: looked up by reference, never shown.

use std::fs;

use expect_test::expect;

use super::super::{
    Environment, Extent, LoadOptions, Secret, SecretError, SecretRef, Settings, Verification,
};
use super::{ONE_SOURCE, env, load};

#[test]
fn a_secret_is_not_in_debug() {
    let settings = load(ONE_SOURCE, &[]).unwrap();
    let shown = format!("{settings:?} {:#?} {:?}", settings, env(&[]));
    assert!(shown.contains("HOOK_SECRET"), "names are shown");
    assert!(!shown.contains("hook-secret-value") && !shown.contains("api-key-value"));
    let source = settings.sources.values().next().unwrap();
    assert_eq!(source.api.key.expose(), "api-key-value");
}

#[test]
fn missing_and_empty_variables_name_the_key_and_the_variable() {
    let error = Settings::from_toml_str(
        ONE_SOURCE,
        "/etc/bookgate".as_ref(),
        &[("API_KEY", "\r\n")].into_iter().collect(),
    );
    expect![[r#"
        error: the secret for `sources.calcom.signing_secrets[0]` cannot be had
         --> bookgate.toml:4:20
          |
        4 | signing_secrets = ["env:HOOK_SECRET"]
          |                    ^^^^^^^^^^^^^^^^^ the environment variable HOOK_SECRET is not set

        error: the secret for `sources.calcom.api.key` cannot be had
         --> bookgate.toml:6:7
          |
        6 | key = "env:API_KEY"
          |       ^^^^^^^^^^^^^ the environment variable API_KEY is empty

        error: 2 problems in the settings"#]]
    .assert_eq(&error.unwrap_err().to_string());
}

#[test]
fn a_secret_in_a_file_starts_at_the_settings_folder_and_loses_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("secrets")).unwrap();
    fs::write(
        folder.path().join("secrets/hook"),
        "first line\nsecond \r\n\n",
    )
    .unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let resolve = |reference: &str| {
        SecretRef::parse(reference)
            .unwrap()
            .resolve(folder.path(), &Environment::default())
    };
    assert_eq!(
        resolve("file:secrets/hook").unwrap(),
        Secret::new("first line\nsecond ")
    );
    assert!(matches!(
        resolve("file:empty"),
        Err(SecretError::EmptyFile(path)) if path.ends_with("empty")
    ));
    assert!(matches!(
        resolve("file:nowhere"),
        Err(SecretError::Unreadable { path, .. }) if path.ends_with("nowhere")
    ));
}

#[test]
fn a_file_too_large_for_a_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), vec![b'a'; 70_000]).unwrap();
    let error = SecretRef::File("large".into())
        .resolve(folder.path(), &Environment::default())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it has 70000 bytes, a secret at most 65536")
    );
}

#[test]
fn only_references_are_references() {
    for text in [
        "", "hunter2", "env:", "file:", "env:A B", "env:1A", "env:a-b", "ENV:A", "env: A",
    ] {
        let error = SecretRef::parse(text).unwrap_err();
        assert_eq!(error, SecretError::NotAReference, "{text}");
    }
    assert_eq!(SecretRef::parse("env:_A1").unwrap().to_string(), "env:_A1");
}

#[test]
fn several_secrets_for_a_change_over() {
    let text = ONE_SOURCE.replace(
        "[\"env:HOOK_SECRET\"]",
        "[\"env:HOOK_SECRET\", \"env:OLD\"]",
    );
    let settings = load(&text, &[("OLD", "old-value")]).unwrap();
    let source = settings.sources.values().next().unwrap();
    let expected = vec![Secret::new("hook-secret-value"), Secret::new("old-value")];
    assert_eq!(source.verification, Verification::Signed(expected));
}

#[test]
fn only_the_secrets_of_the_extent_are_needed() {
    let folder = tempfile::tempdir().unwrap();
    let token = "[admin.tokens.ops]\nrole = \"admin\"\nsecret = \"env:TOKEN\"\n";
    let text = format!("{ONE_SOURCE}{token}");
    fs::write(folder.path().join("bookgate.toml"), text).unwrap();
    let load = |extent, variables: &[(&str, &str)]| {
        let options = LoadOptions {
            working_dir: folder.path().to_owned(),
            env: variables.iter().copied().collect(),
            ..LoadOptions::default()
        };
        Settings::load_extent(&options, extent).map_err(|error| error.to_string())
    };
    let offline = load(Extent::Offline, &[]).unwrap();
    assert!(offline.sources.is_empty() && offline.admin.tokens.is_empty());
    let error = load(Extent::Tokens, &[]).unwrap_err();
    assert!(
        error.contains("TOKEN") && !error.contains("API_KEY"),
        "{error}"
    );
    let tokens = load(Extent::Tokens, &[("TOKEN", "x")]).unwrap();
    assert!(tokens.sources.is_empty() && tokens.admin.tokens.contains_key("ops"));
    let error = load(Extent::Everything, &[("TOKEN", "x")]).unwrap_err();
    assert!(error.contains("API_KEY"), "{error}");
}

#[test]
fn what_is_not_asked_for_is_still_checked() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{ONE_SOURCE}dialekt = \"v2\"\n");
    fs::write(folder.path().join("bookgate.toml"), text).unwrap();
    let options = LoadOptions {
        working_dir: folder.path().to_owned(),
        ..LoadOptions::default()
    };
    let error = Settings::load_extent(&options, Extent::Offline).unwrap_err();
    assert!(error.to_string().contains("dialekt"), "{error}");
}
