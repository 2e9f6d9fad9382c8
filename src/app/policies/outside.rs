//! What policies name that is not theirs: secrets, the hosts that they may have asked, and copies of lists that
//! servers keep.

use std::collections::BTreeMap;
use std::path::Path;

use super::copies::Copies;
use crate::domain::secret::Secret;
use crate::policy::lists::RemoteList;
use crate::settings::{Environment, SecretRef};

/// Where secrets and copies are looked up, and which hosts policies may have asked.
#[derive(Debug, Clone)]
pub(super) struct Outside {
    env: Environment,
    /// Whether a policy whose secret cannot be had is wrong; else it does without.
    required: bool,
    /// `None` where any host will do.
    hosts: Option<Vec<String>>,
    copies: Copies,
    /// Why lists could not be had, by their addresses; `None` where policies do without.
    not_had: Option<BTreeMap<String, String>>,
}

impl Outside {
    /// As the daemon has them.
    pub(super) fn of_daemon(hosts: &[String], copies: Copies) -> Self {
        Self {
            env: Environment::of_process(),
            required: true,
            hosts: Some(hosts.to_vec()),
            copies,
            not_had: None,
        }
    }

    /// What happens to be at hand: policies are checked where their secrets and copies are not, too.
    pub(super) fn at_hand(copies: Copies) -> Self {
        Self {
            env: Environment::of_process(),
            required: false,
            hosts: None,
            copies,
            not_had: None,
        }
    }

    /// The same after lists were fetched: a list without a copy is wrong now, for one of these reasons.
    pub(super) fn fetched(&self, not_had: BTreeMap<String, String>) -> Self {
        Self {
            not_had: Some(not_had),
            ..self.clone()
        }
    }

    /// The hosts that policies may have asked; `None` for any.
    pub(super) fn hosts(&self) -> Option<&[String]> {
        self.hosts.as_deref()
    }

    /// The copies of lists.
    pub(super) fn copies(&self) -> &Copies {
        &self.copies
    }

    /// The copy of a list, as policies read it.
    pub(super) fn copy(&self, list: &RemoteList) -> Result<Option<String>, String> {
        // One that others may not read is as good as none: who has to have it fetches it, and is told.
        if let Ok(Some(text)) = self.copies.read(&list.url) {
            return Ok(Some(text));
        }
        match &self.not_had {
            None => Ok(None),
            Some(why) => Err(why
                .get(&list.url)
                .cloned()
                .unwrap_or_else(|| "it was not fetched yet".to_owned())),
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
