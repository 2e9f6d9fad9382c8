//! How policies get at the secrets that they name.

use std::path::Path;

use crate::domain::secret::Secret;
use crate::settings::{Environment, SecretRef};

/// Where secrets of policies are looked up.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    env: Environment,
    /// Whether a policy whose secret cannot be had is wrong; else it does without.
    required: bool,
}

impl Secrets {
    /// As the daemon has them.
    pub(super) fn required() -> Self {
        Self {
            env: Environment::of_process(),
            required: true,
        }
    }

    /// Those that happen to be at hand: policies are checked where their secrets are not, too.
    pub(super) fn at_hand() -> Self {
        Self {
            env: Environment::of_process(),
            required: false,
        }
    }

    /// Looks one up; relative files begin at the policies' folder.
    pub(super) fn look_up(&self, dir: &Path, reference: &str) -> Result<Option<Secret>, String> {
        let found = SecretRef::parse(reference).map_err(|error| error.to_string())?;
        match found.resolve(dir, &self.env) {
            Ok(secret) => Ok(Some(secret)),
            Err(error) if self.required => Err(error.to_string()),
            Err(_) => Ok(None),
        }
    }
}
