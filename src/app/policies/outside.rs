//! What policies name that is not theirs: secrets, and the hosts that they may have asked.

use std::path::Path;

use crate::domain::secret::Secret;
use crate::settings::{Environment, SecretRef};

/// Where secrets of policies are looked up, and which hosts they may have asked.
#[derive(Debug, Clone)]
pub(super) struct Outside {
    env: Environment,
    /// Whether a policy whose secret cannot be had is wrong; else it does without.
    required: bool,
    /// `None` where any host will do.
    hosts: Option<Vec<String>>,
}

impl Outside {
    /// As the daemon has them.
    pub(super) fn of_daemon(hosts: &[String]) -> Self {
        Self {
            env: Environment::of_process(),
            required: true,
            hosts: Some(hosts.to_vec()),
        }
    }

    /// What happens to be at hand: policies are checked where their secrets are not, too.
    pub(super) fn at_hand() -> Self {
        Self {
            env: Environment::of_process(),
            required: false,
            hosts: None,
        }
    }

    /// The hosts that policies may have asked; `None` for any.
    pub(super) fn hosts(&self) -> Option<&[String]> {
        self.hosts.as_deref()
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
