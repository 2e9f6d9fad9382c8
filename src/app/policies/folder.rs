//! Reads a folder of policies, and tells from outside whether any of its files has changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mirror::Wanted;
use super::outside::Outside;
use crate::domain::amount::{Unit, UnitCode};
use crate::policy::codes::Code;
use crate::policy::lists::RemoteList;
use crate::policy::{self, Diagnostic, Diagnostics, LoadContext, PolicySet, SourceFile};

/// The largest policy file read, in bytes.
pub(super) const POLICY_BYTES_MAX: u64 = policy::load::FILE_BYTES_MAX as u64;
/// The largest list file read, in bytes: a million addresses.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A set with its hints, or everything that is wrong.
pub(super) type Checked = Result<(PolicySet, Diagnostics), Diagnostics>;

/// What came of reading a folder.
pub(super) struct Reading {
    pub(super) result: Checked,
    /// The policy files.
    pub(super) files: Vec<SourceFile>,
    /// The list files and the copies of servers' lists that they name, by path or address as it is written there.
    pub(super) lists: BTreeMap<String, String>,
    /// The servers' lists that they name.
    pub(super) wanted: Wanted,
    /// Those that there is no copy of.
    pub(super) absent: Wanted,
    /// How all of them looked just before they were read.
    pub(super) prints: Prints,
}

/// How files look from outside: whoever writes into one, or puts another in its place, changes that. A file
/// that is not there looks like nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prints {
    files: BTreeMap<PathBuf, Print>,
    lists: BTreeMap<PathBuf, Print>,
}

type Print = Option<[i128; 6]>;

impl Prints {
    /// Looks at the policies in a folder, and at these list files.
    pub(super) fn of(dir: &Path, lists: BTreeSet<PathBuf>) -> Self {
        let files = policy_paths(dir).unwrap_or_default().into_iter();
        let seen = |path: PathBuf| {
            let print = print(&path);
            (path, print)
        };
        Self {
            files: files.map(seen).collect(),
            lists: lists.into_iter().map(seen).collect(),
        }
    }

    /// The list files among them.
    pub(super) fn lists(&self) -> BTreeSet<PathBuf> {
        self.lists.keys().cloned().collect()
    }
}

/// The times of change are of the file system's own clock, and cannot be set back by who writes.
fn print(path: &Path) -> Print {
    let seen = |seen: Metadata| {
        let nanoseconds =
            |seconds: i64, more: i64| i128::from(seconds) * 1_000_000_000 + i128::from(more);
        [
            i128::from(seen.dev()),
            i128::from(seen.ino()),
            i128::from(seen.len()),
            i128::from(seen.mode()),
            nanoseconds(seen.mtime(), seen.mtime_nsec()),
            nanoseconds(seen.ctime(), seen.ctime_nsec()),
        ]
    };
    fs::metadata(path).ok().map(seen)
}

/// Reads all policies of a folder, with their lists and secrets.
pub(super) fn read(dir: &Path, units: &BTreeMap<UnitCode, Unit>, outside: &Outside) -> Reading {
    let mut prints = Prints::of(dir, BTreeSet::new());
    let (files, unreadable) = match policy_paths(dir) {
        Ok(paths) => read_policies(paths),
        Err(error) => {
            let message = format!("the policies' folder cannot be read: {error}");
            let help = "name another one, or make it: policies.dir in the settings";
            (
                Vec::new(),
                vec![unreadable(dir.display().to_string(), message, help)],
            )
        }
    };
    let lists = RefCell::new(BTreeMap::new());
    let list_prints = RefCell::new(BTreeMap::new());
    let look_at = |path: &Path| {
        let print = print(path);
        list_prints.borrow_mut().insert(path.to_owned(), print);
    };
    let read_list = |_policy: &str, list: &str| {
        let path = dir.join(list);
        look_at(&path);
        let text = read_limited(&path, LIST_BYTES_MAX)?;
        lists.borrow_mut().insert(list.to_owned(), text.clone());
        Ok(text)
    };
    let (wanted, absent) = (RefCell::<Wanted>::default(), RefCell::<Wanted>::default());
    let read_copy = |_policy: &str, list: &RemoteList| {
        wanted.borrow_mut().add(list);
        look_at(&outside.copies().path(&list.url));
        let copy = outside.copy(list)?;
        match &copy {
            Some(text) => drop(lists.borrow_mut().insert(list.url.clone(), text.clone())),
            None => absent.borrow_mut().add(list),
        }
        Ok(copy)
    };
    // A secret in a file is looked at like a list, and kept nowhere.
    let read_secret = |_policy: &str, reference: &str| {
        if let Some(path) = reference.strip_prefix("file:") {
            look_at(&dir.join(path));
        }
        outside.look_up(dir, reference)
    };
    let context = LoadContext {
        units,
        hosts: outside.hosts(),
        read_list: &read_list,
        read_copy: &read_copy,
        read_secret: &read_secret,
    };
    let loaded = policy::load(files.clone(), &context);
    let result = match (unreadable.is_empty(), loaded) {
        (true, loaded) => loaded,
        (false, Ok((_, found)) | Err(found)) => Err(found.and(unreadable)),
    };
    prints.lists = list_prints.into_inner();
    Reading {
        result,
        files,
        lists: lists.into_inner(),
        wanted: wanted.into_inner(),
        absent: absent.into_inner(),
        prints,
    }
}

/// Reads a folder with one policy file from elsewhere; gives the set, and that policy's id.
pub(super) fn read_with(
    dir: &Path,
    file: &Path,
    units: &BTreeMap<UnitCode, Unit>,
    outside: &Outside,
) -> Result<(PolicySet, Arc<str>), Diagnostics> {
    let (mut added, mut wrong) = read_policies(vec![file.to_owned()]);
    let paths = policy_paths(dir).unwrap_or_default();
    // The file itself may be one of the folder.
    let same = |path: &Path| fs::canonicalize(path).ok() == fs::canonicalize(file).ok();
    let paths = paths.into_iter().filter(|path| !same(path)).collect();
    let (mut files, unread) = read_policies(paths);
    wrong.extend(unread);
    if let Some(added) = added.first_mut() {
        let id = id_of(&added.text);
        files.retain(|other| id.is_none() || id_of(&other.text) != id);
        // Names tell files apart.
        if files.iter().any(|other| other.name == added.name) {
            added.name = file.display().to_string();
        }
    }
    let name = added.first().map(|added| added.name.clone());
    files.extend(added);
    let beside = file.parent().unwrap_or(dir);
    let folder_of = |policy: &str| match Some(policy) == name.as_deref() {
        true => beside,
        false => dir,
    };
    let read_list =
        |policy: &str, list: &str| read_limited(&folder_of(policy).join(list), LIST_BYTES_MAX);
    let context = LoadContext {
        units,
        hosts: outside.hosts(),
        read_list: &read_list,
        read_copy: &|_, list| outside.copy(list),
        read_secret: &|policy, reference| outside.look_up(folder_of(policy), reference),
    };
    let (set, found) = policy::load(files, &context).map_err(|found| {
        let wrong = std::mem::take(&mut wrong);
        found.and(wrong)
    })?;
    let added = set
        .policies()
        .find(|policy| Some(&policy.source.name) == name.as_ref());
    match added.map(|policy| Arc::clone(&policy.id)) {
        Some(id) if wrong.is_empty() => Ok((set, id)),
        _ => Err(found.and(wrong)),
    }
}

/// The id of a policy, as far as it can be told.
fn id_of(text: &str) -> Option<String> {
    let file: toml::Table = text.parse().ok()?;
    let id = file.get("policy")?.get("id")?.as_str()?;
    Some(id.to_owned())
}

/// The policy files of a folder, in order. Not those whose names begin with a dot: editors and Kubernetes
/// have such for themselves.
pub(super) fn policy_paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    let hidden = |path: &Path| name(path).starts_with('.');
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml") && !hidden(path));
    paths.sort();
    Ok(paths)
}

pub(super) fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn read_policies(paths: Vec<PathBuf>) -> (Vec<SourceFile>, Vec<Diagnostic>) {
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match read_limited(&path, POLICY_BYTES_MAX) {
            Ok(text) => files.push(SourceFile {
                name: name(&path),
                text,
            }),
            Err(error) => {
                let message = format!("the file cannot be read: {error}");
                let help = "every *.toml in the folder is a policy, in UTF-8, at most 1 MiB";
                wrong.push(unreadable(name(&path), message, help));
            }
        }
    }
    (files, wrong)
}

fn unreadable(name: String, message: String, help: &str) -> Diagnostic {
    let text = String::new();
    let source = Arc::new(SourceFile { name, text });
    let diagnostic = Diagnostic::new(&source, Code::Unreadable, 0..0, message);
    diagnostic.help(help).without_source()
}

pub(super) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > bytes_max {
        let text = format!("{length} bytes are more than the {bytes_max} allowed");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::app::policies::copies::Copies;

    const LIST: &str = "lists/blocked.txt";

    fn policy(message: &str) -> String {
        format!(
            "schema = 1\n[policy]\nid = \"a\"\n[[criterion]]\nid = \"b\"\nkind = \"deny-list\"\nlist = {{ file = \"{LIST}\" }}\nmessage = \"{message}\"\n"
        )
    }

    fn read_here(dir: &Path) -> Reading {
        let copies = Copies::beside(&dir.join("journal"));
        read(dir, &BTreeMap::new(), &Outside::of_daemon(&[], copies))
    }

    fn fill(dir: &Path) {
        fs::create_dir_all(dir.join("lists")).unwrap();
        fs::write(dir.join("a.toml"), policy("one")).unwrap();
        fs::write(dir.join(LIST), "eve@example.org\n").unwrap();
    }

    /// Whether files look as they did when they were read, after something was done to them.
    #[track_caller]
    fn is_seen(dir: &Path, change: impl FnOnce()) -> bool {
        let prints = read_here(dir).prints;
        assert_eq!(
            prints,
            Prints::of(dir, prints.lists()),
            "nothing has changed"
        );
        change();
        prints != Prints::of(dir, prints.lists())
    }

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fill(dir);
        let file = dir.join("a.toml");
        assert!(is_seen(dir, || fs::write(&file, policy("two")).unwrap()));
        assert!(is_seen(dir, || {
            // As large as before, and as old.
            let old = fs::metadata(&file).unwrap().modified().unwrap();
            fs::write(dir.join("new"), policy("six")).unwrap();
            File::options()
                .write(true)
                .open(dir.join("new"))
                .unwrap()
                .set_modified(old)
                .unwrap();
            fs::rename(dir.join("new"), &file).unwrap();
        }));
        assert!(is_seen(dir, || fs::write(
            dir.join(LIST),
            "eva@example.org\n"
        )
        .unwrap()));
        assert!(is_seen(dir, || fs::remove_file(dir.join(LIST)).unwrap()));
        assert!(is_seen(dir, || fs::write(dir.join(LIST), "").unwrap()));
        assert!(is_seen(dir, || fs::write(dir.join("b.toml"), "").unwrap()));
        assert!(is_seen(dir, || fs::remove_file(dir.join("b.toml")).unwrap()));
        assert!(!is_seen(dir, || fs::write(dir.join(".c.toml"), "").unwrap()));
        assert!(!is_seen(dir, || fs::write(dir.join("README.md"), "").unwrap()));
    }

    /// How Kubernetes brings a new version of a ConfigMap: files are links through `..data`.
    #[test]
    fn another_folder_behind_a_link_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        for version in ["..v1", "..v2"] {
            fill(&dir.join(version));
        }
        symlink("..v1", dir.join("..data")).unwrap();
        symlink("..data/a.toml", dir.join("a.toml")).unwrap();
        symlink("..data/lists", dir.join("lists")).unwrap();
        let reading = read_here(dir);
        assert_eq!(reading.result.unwrap().0.policies().count(), 1);
        assert!(is_seen(dir, || {
            symlink("..v2", dir.join("..next")).unwrap();
            fs::rename(dir.join("..next"), dir.join("..data")).unwrap();
        }));
    }

    #[test]
    fn what_cannot_be_read_is_told_beside_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), "schema = 2\n").unwrap();
        fs::write(folder.path().join("b.toml"), [0xff]).unwrap();
        let wrong = read_here(folder.path()).result.unwrap_err();
        let wrong: Vec<_> = wrong
            .iter()
            .map(|one| (one.code.as_str(), one.file.as_str()))
            .collect();
        assert_eq!(
            wrong,
            [
                ("BG0101", "a.toml"),
                ("BG0113", "a.toml"),
                ("BG0004", "b.toml")
            ]
        );
        let missing = read_here(&folder.path().join("absent"));
        let wrong = missing.result.unwrap_err().render(false);
        assert!(
            wrong.contains("BG0004") && wrong.contains("policies.dir"),
            "{wrong}"
        );
    }

    /// Who turns a key gives the daemon another file, and no reason to be started again.
    #[test]
    fn a_secret_is_looked_up_by_the_daemon_and_done_without_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let policy = "schema = 1\n[policy]\nid = \"a\"\n[[criterion]]\nid = \"b\"\nkind = \"invite-code\"\nfield = \"invite\"\ncodes = { secret = \"file:codes\" }\n";
        fs::write(dir.join("a.toml"), policy).unwrap();
        let wrong = read_here(dir).result.unwrap_err().render(false);
        assert!(
            wrong.contains("BG0502") && wrong.contains("codes"),
            "{wrong}"
        );
        let outside = Outside::at_hand(Copies::beside(dir));
        let at_hand = |dir| read(dir, &BTreeMap::new(), &outside);
        let without = at_hand(dir).result.unwrap().0.hash();
        fs::write(dir.join("codes"), "oolong\n").unwrap();
        let reading = read_here(dir);
        assert_eq!(reading.lists, BTreeMap::new(), "a secret is not kept");
        let hash = reading.result.unwrap().0.hash();
        assert_ne!(hash, without);
        assert_eq!(at_hand(dir).result.unwrap().0.hash(), hash);
        assert!(is_seen(dir, || fs::write(dir.join("codes"), "assam\n").unwrap()));
    }
}
