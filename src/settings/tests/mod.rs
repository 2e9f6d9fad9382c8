//! Settings as an admin meets them.

mod defaults;
mod layers;
mod secrets;
mod wrong;

use std::path::Path;

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
