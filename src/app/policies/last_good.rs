//! The last set of policies that was found good, kept on disk with the lists it was made from, so that a
//! daemon can be started on it while its folder is broken. It lies in the journal's folder: that outlives
//! restarts, and belongs to one daemon, as its policies do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder::Checked;
use super::mirror::Wanted;
use super::outside::Outside;
use super::whole;
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::clock::Timestamp;
use crate::policy::lists::RemoteList;
use crate::policy::{self, LoadContext, PolicyHash, SourceFile};

/// The file's name.
const NAME: &str = "last-good-policies.json";
/// What the file looks like; another number is another program's.
const FORM: u32 = 1;

/// A set of policies as it was written.
#[derive(Debug, Serialize, Deserialize)]
pub struct LastGood {
    form: u32,
    /// When it was found good.
    pub kept_at: Timestamp,
    /// The meaning of the set.
    pub set_hash: PolicyHash,
    files: Vec<KeptFile>,
    lists: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptFile {
    name: String,
    text: String,
}

impl LastGood {
    /// Where it is kept, beside a journal.
    pub fn path(journal: &Path) -> PathBuf {
        journal.join(NAME)
    }

    /// What is kept there; `None` if nothing is.
    ///
    /// # Errors
    /// It cannot be read, or is not understood.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let kept: Self = serde_json::from_slice(&text)?;
        if kept.form != FORM {
            let message = format!("{} is of another version of bookgate", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Some(kept))
    }

    pub(super) fn new(
        set_hash: PolicyHash,
        files: Vec<SourceFile>,
        lists: BTreeMap<String, String>,
        kept_at: Timestamp,
    ) -> Self {
        let kept = |SourceFile { name, text }| KeptFile { name, text };
        Self {
            form: FORM,
            kept_at,
            set_hash,
            files: files.into_iter().map(kept).collect(),
            lists,
        }
    }

    /// Whatever it was made from, and when it was not.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let files = self.files.iter().map(|file| (&file.name, &file.text));
        for (name, text) in files.chain(&self.lists) {
            for part in [name, text] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        hasher.finalize().into()
    }

    /// Writes it, whole or not at all, for its owner alone: lists hold addresses.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        whole::write(path, |out| Ok(serde_json::to_writer(out, self)?))
    }

    /// The lists that it was made from, by path or address.
    pub(super) fn lists(&self) -> impl Iterator<Item = &String> {
        self.lists.keys()
    }

    /// Loads it as if its files were still there, in this folder. Also gives the servers' lists that it names.
    pub(super) fn load(
        &self,
        dir: &Path,
        units: &BTreeMap<UnitCode, Unit>,
        outside: &Outside,
    ) -> (Checked, Wanted) {
        let files = self.files.iter().map(|file| SourceFile {
            name: file.name.clone(),
            text: file.text.clone(),
        });
        let read_list = |_policy: &str, list: &str| {
            let text = self.lists.get(list).cloned();
            text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        };
        let wanted = RefCell::new(Wanted::default());
        let read_copy = |_: &str, list: &RemoteList| {
            wanted.borrow_mut().add(list);
            let text = self.lists.get(&list.url).cloned();
            text.map(Some).ok_or_else(|| "it was not kept".to_owned())
        };
        let context = LoadContext {
            units,
            hosts: outside.hosts(),
            read_list: &read_list,
            read_copy: &read_copy,
            read_secret: &|_, reference| outside.look_up(dir, reference),
        };
        let checked = policy::load(files.collect(), &context);
        (checked, wanted.into_inner())
    }
}
