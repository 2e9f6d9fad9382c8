//! Copies of the lists that web servers keep, in a folder beside the journal: that outlives restarts, and
//! belongs to one daemon. Each is a text, and what the server said of it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::whole;
use crate::domain::clock::Timestamp;
use crate::provider::callout::Version;

/// The folder's name.
const NAME: &str = "lists";
/// For its owner alone: lists hold addresses.
const MODE: u32 = 0o700;

/// A folder of copies, which need not be there.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    dir: PathBuf,
}

/// What is known of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    /// Whose it is, for people.
    pub(super) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// When the server said last that this is the list.
    pub(super) checked_at: Timestamp,
}

impl Label {
    pub(super) fn new(url: &str, version: Version, checked_at: Timestamp) -> Self {
        Self {
            url: url.to_owned(),
            etag: version.etag,
            last_modified: version.last_modified,
            checked_at,
        }
    }

    pub(super) fn version(&self) -> Version {
        Version {
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
        }
    }
}

impl Copies {
    /// Those beside a journal.
    pub(super) fn beside(journal: &Path) -> Self {
        Self {
            dir: journal.join(NAME),
        }
    }

    /// Where the text of a list is, or would be.
    pub(super) fn path(&self, url: &str) -> PathBuf {
        self.file(url, "txt")
    }

    fn file(&self, url: &str, ending: &str) -> PathBuf {
        let name = hex::encode(Sha256::digest(url));
        self.dir.join(format!("{name}.{ending}"))
    }

    /// The text of a list; `None` if there is no copy.
    pub(super) fn read(&self, url: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.path(url)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of a copy; `None` if there is none, or if its label is damaged: then it is fetched anew.
    pub(super) fn label(&self, url: &str) -> Option<Label> {
        let label = fs::read(self.file(url, "json")).ok()?;
        let label = serde_json::from_slice(&label).ok()?;
        self.path(url).exists().then_some(label)
    }

    /// Keeps a text with its label. The text comes first: a crash in between leaves an old label, by which the
    /// server is asked once more.
    pub(super) fn keep(&self, label: &Label, text: &str) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(MODE)
            .create(&self.dir)?;
        whole::write(&self.path(&label.url), |out| out.write_all(text.as_bytes()))?;
        self.relabel(label)
    }

    /// Keeps the label of a text that is there.
    pub(super) fn relabel(&self, label: &Label) -> io::Result<()> {
        whole::write(&self.file(&label.url, "json"), |out| {
            Ok(serde_json::to_writer(out, label)?)
        })
    }

    /// Removes all copies but those of these lists.
    pub(super) fn remove_others<'u>(
        &self,
        urls: impl IntoIterator<Item = &'u String>,
    ) -> io::Result<()> {
        let wanted: BTreeSet<PathBuf> = urls
            .into_iter()
            .flat_map(|url| [self.file(url, "txt"), self.file(url, "json")])
            .collect();
        let there = match fs::read_dir(&self.dir) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in there {
            let path = entry?.path();
            if !wanted.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::clock::from_us;

    const URL: &str = "https://crm.example.org/blocked.txt";

    fn label(url: &str, etag: &str) -> Label {
        let version = Version {
            etag: Some(etag.to_owned()),
            last_modified: None,
        };
        Label::new(url, version, from_us(1_800_000_000_000_000))
    }

    #[test]
    fn a_copy_is_its_owners_alone_and_goes_when_nobody_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::beside(&folder.path().join("journal"));
        assert_eq!(copies.read(URL).unwrap(), None);
        assert_eq!(copies.label(URL), None);
        copies.remove_others([]).unwrap();
        copies.keep(&label(URL, "1"), "eve@example.org\n").unwrap();
        assert_eq!(copies.read(URL).unwrap().unwrap(), "eve@example.org\n");
        assert_eq!(copies.label(URL), Some(label(URL, "1")));
        copies.relabel(&label(URL, "2")).unwrap();
        assert_eq!(copies.label(URL), Some(label(URL, "2")));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&copies.dir), 0o700);
        assert_eq!(mode(&copies.path(URL)), 0o600);

        let other = format!("{URL}?2");
        copies
            .keep(&label(&other, "1"), "ada@example.org\n")
            .unwrap();
        copies.remove_others([&other]).unwrap();
        assert_eq!(copies.read(URL).unwrap(), None);
        assert_eq!(copies.label(URL), None);
        assert!(copies.read(&other).unwrap().is_some());
        assert_eq!(fs::read_dir(&copies.dir).unwrap().count(), 2);
    }

    #[test]
    fn a_label_without_its_text_or_damaged_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::beside(folder.path());
        copies.keep(&label(URL, "1"), "eve@example.org\n").unwrap();
        fs::write(copies.file(URL, "json"), "{").unwrap();
        assert_eq!(copies.label(URL), None);
        copies.relabel(&label(URL, "1")).unwrap();
        fs::remove_file(copies.path(URL)).unwrap();
        assert_eq!(copies.label(URL), None);
    }
}
