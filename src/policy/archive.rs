//! What a set is made of, so that it can be kept with the decisions it makes, and made again from that.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::compiled::PolicyHash;
use super::diagnostic::{Diagnostics, SourceFile};
use super::lists::RemoteList;
use super::load::{LoadContext, load_untested};
use super::set::PolicySet;
use crate::domain::amount::{Unit, UnitCode};

/// One policy of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPart {
    /// Its file's name.
    pub name: String,
    /// Its meaning, under which its text is kept.
    pub hash: PolicyHash,
    /// The list files that it reads, by path: the digests under which their entries are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, PolicyHash>,
}

impl PolicySet {
    /// What the set is made of.
    pub fn parts(&self) -> Vec<SetPart> {
        let part = |policy: &super::Policy| SetPart {
            name: policy.source.name.clone(),
            hash: policy.hash,
            lists: policy
                .lists
                .iter()
                .map(|(path, file)| (path.clone(), file.digest))
                .collect(),
        };
        self.policies().map(part).collect()
    }
}

/// Makes a set again: of its parts with their texts, and the entries of its lists by their digests. The
/// policies' tests are not run.
///
/// # Errors
/// All that this version of the language finds wrong, or missing.
pub fn restore(
    parts: Vec<(SetPart, String)>,
    lists: &BTreeMap<PolicyHash, String>,
    units: &BTreeMap<UnitCode, Unit>,
) -> Result<PolicySet, Diagnostics> {
    let mut paths = BTreeMap::new();
    for (part, _) in &parts {
        for (path, digest) in &part.lists {
            paths.insert((part.name.clone(), path.clone()), *digest);
        }
    }
    let kept = |policy: &str, list: &str| {
        let digest = paths.get(&(policy.to_owned(), list.to_owned()));
        let entries = digest.and_then(|digest| lists.get(digest));
        entries.cloned().ok_or("it was not kept")
    };
    let read_list = |policy: &str, list: &str| {
        kept(policy, list).map_err(|why| io::Error::new(io::ErrorKind::NotFound, why))
    };
    let read_copy = |policy: &str, list: &RemoteList| {
        let copy = kept(policy, &list.url);
        copy.map(Some).map_err(str::to_owned)
    };
    let context = LoadContext {
        read_copy: &read_copy,
        ..LoadContext::new(units, &read_list)
    };
    let file = |(part, text): (SetPart, String)| SourceFile {
        name: part.name,
        text,
    };
    load_untested(parts.into_iter().map(file).collect(), &context)
}
