//! Secrets: written as references, resolved once, and never shown again.

use std::fmt;
use std::path::{Path, PathBuf};

use super::environment::Environment;
pub use crate::domain::secret::Secret;

/// The longest secret read from a file; anything longer is the wrong file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Where a secret is: `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; a relative path starts at the settings file's folder.
    File(PathBuf),
}

/// Why a secret could not be had. Never holds the secret, nor a text that could be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text is not a reference; most likely it is the secret itself, so it is not repeated.
    #[error("a secret is written as \"env:NAME\" or \"file:PATH\", never as itself")]
    NotAReference,
    /// The variable does not exist.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The variable is empty, or holds nothing but line ends.
    #[error("the environment variable {0} is empty")]
    EmptyVariable(String),
    /// The file cannot be read.
    #[error("the file {path} cannot be read: {reason}")]
    Unreadable {
        /// The path as resolved.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The file holds nothing but line ends.
    #[error("the file {0} is empty")]
    EmptyFile(String),
}

impl SecretRef {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`SecretError::NotAReference`] for anything else, without repeating it.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if let Some(name) = text.strip_prefix("env:")
            && is_variable_name(name)
        {
            return Ok(Self::Env(name.to_owned()));
        }
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            _ => Err(SecretError::NotAReference),
        }
    }

    /// Looks the secret up. Line ends behind it are cut off.
    ///
    /// # Errors
    /// It is missing, empty, not UTF-8 or longer than 64 KiB.
    pub fn resolve(&self, base_dir: &Path, env: &Environment) -> Result<Secret, SecretError> {
        match self {
            Self::Env(name) => {
                let value = env
                    .get(name)
                    .ok_or_else(|| SecretError::NotSet(name.clone()))?;
                trimmed(value).ok_or_else(|| SecretError::EmptyVariable(name.clone()))
            }
            Self::File(path) => {
                let path = base_dir.join(path);
                let shown = path.display().to_string();
                let text = read(&path).map_err(|reason| SecretError::Unreadable {
                    path: shown.clone(),
                    reason,
                })?;
                trimmed(&text).ok_or(SecretError::EmptyFile(shown))
            }
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn trimmed(value: &str) -> Option<Secret> {
    let value = value.trim_end_matches(['\r', '\n']);
    (!value.is_empty()).then(|| Secret::new(value))
}

fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > SECRET_BYTES_MAX {
        return Err(format!(
            "it has {size} bytes, a secret at most {SECRET_BYTES_MAX}"
        ));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}
