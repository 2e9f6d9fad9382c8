//! What holds in the end and where each value comes from: for a person who wonders why.

use serde::Serialize;
use toml::Value;

use super::environment::Environment;
use super::keys;
use super::secret::SecretRef;
use super::{Layers, LoadOptions, SettingsError};

/// One setting as it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EffectiveSetting {
    /// The whole key, dotted.
    pub key: String,
    /// The value; of secrets, the references.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// For secrets: whether each reference leads to one, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets_set: Vec<bool>,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file.
    File {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// All settings as they hold, by key. Beside them: what keeps a daemon from starting with them,
/// such as a secret that is not set.
///
/// # Errors
/// The file cannot be read.
pub fn effective(
    options: &LoadOptions,
) -> Result<(Vec<EffectiveSetting>, Result<(), SettingsError>), SettingsError> {
    let layers = Layers::load(options)?;
    let mut settings = Vec::new();
    let written = Value::try_from(&layers.document).map_err(|error| {
        SettingsError::plain("the settings cannot be shown".to_owned(), error.to_string())
    })?;
    flatten("", written, &mut |key, value| {
        settings.push(EffectiveSetting {
            origin: layers.origin(&key),
            secrets_set: secrets_set(&value, &layers, &options.env),
            key,
            value,
        });
    });
    let problems = layers.resolve(&options.env).map(|_| ());
    Ok((settings, problems))
}

fn flatten(path: &str, value: Value, each: &mut impl FnMut(String, Value)) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                flatten(&keys::join(path, &key), value, each);
            }
        }
        value => each(path.to_owned(), value),
    }
}

fn secrets_set(value: &Value, layers: &Layers, env: &Environment) -> Vec<bool> {
    let is_set = |value: &Value| {
        let reference = SecretRef::parse(value.as_str()?).ok()?;
        Some(reference.resolve(&layers.base_dir, env).is_ok())
    };
    match value {
        Value::Array(items) => items.iter().filter_map(is_set).collect(),
        value => is_set(value).into_iter().collect(),
    }
}
