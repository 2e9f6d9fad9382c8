//! Settings as an admin meets them.

mod callouts;
mod defaults;
mod layers;
mod notices;
mod secrets;
mod unseen;
mod whole;
mod wrong;

use std::path::Path;

use expect_test::Expect;

use super::{Environment, Settings, SettingsError};

/// A settings file with one source, and what it needs of the environment.
const ONE_SOURCE: &str = r#"
[sources.calcom]
provider = "calcom"
signing_secrets = ["env:HOOK_SECRET"]
[sources.calcom.api]
key = "env:API_KEY"
"#;

fn env(variables: &[(&str, &str)]) -> Environment {
    [
        ("HOOK_SECRET", "hook-secret-value"),
        ("API_KEY", "api-key-value"),
    ]
    .iter()
    .chain(variables)
    .copied()
    .collect()
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_toml_str(text, Path::new("/etc/bookgate"), &env(variables))
}

/// What is said about wrong settings.
fn check(text: &str, variables: &[(&str, &str)], expected: &Expect) {
    let error = load(text, variables).expect_err("these settings are wrong");
    expected.assert_eq(&error.to_string());
}
