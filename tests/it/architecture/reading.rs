//! Reads `src/` as text, well enough to tell code from comments, texts and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{JOINTS, ROOMS};

/// A file as the rules look at it.
pub(super) struct Source {
    /// Relative to `src/` or `tests/`.
    pub(super) path: String,
    /// Lines without comments.
    pub(super) code: Vec<String>,
    /// Lines without comments and without what stands in quotes.
    pub(super) bare: Vec<String>,
    pub(super) lines: usize,
    /// From this line on (counted from 0) it is test code.
    pub(super) tests_from: usize,
}

impl Source {
    pub(super) fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    pub(super) fn at(&self, line: usize) -> String {
        format!("src/{}:{}", self.path, line + 1)
    }

    /// How many names its module's path has: `crate::gate::worker` has two.
    fn depth(&self, line: usize) -> usize {
        let module = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        module.split('/').count() + usize::from(line >= self.tests_from)
    }
}

fn manifest() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn sources(folder: &str) -> Vec<Source> {
    let root = manifest().join(folder);
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(read(&root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let test_modules: BTreeSet<String> = found.iter().flat_map(test_modules).collect();
    for source in &mut found {
        let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let mut parents = module
            .match_indices('/')
            .map(|(end, _)| &module[..end])
            .chain([module]);
        if parents.any(|parent| test_modules.contains(parent)) {
            source.tests_from = 0;
        }
    }
    found
}

fn read(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let (code, bare) = strip(&text);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let bare = lines(&bare);
    let is_marked = |at: &usize| bare[*at].trim() == "#[cfg(test)]";
    let inline = |at: &usize| {
        bare.get(at + 1)
            .is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
    };
    let tests_from = (0..bare.len()).filter(is_marked).find(inline);
    Source {
        path: path
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned(),
        code: lines(&code),
        lines: text.lines().count(),
        tests_from: tests_from.unwrap_or(usize::MAX),
        bare,
    }
}

/// The modules in files of their own that a file declares for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    let parent = if module == "lib" { "" } else { module };
    let marked = source
        .bare
        .windows(2)
        .filter(|pair| pair[0].trim() == "#[cfg(test)]");
    let declared = marked.filter_map(|pair| pair[1].trim().strip_suffix(';')?.rsplit_once("mod "));
    declared
        .map(|(_, name)| {
            format!("{parent}/{name}")
                .trim_start_matches('/')
                .to_owned()
        })
        .collect()
}

/// A text without its comments, and the same also without what stands in quotes. Line numbers stay.
fn strip(text: &str) -> (String, String) {
    let (mut code, mut bare) = (String::new(), String::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, in_code, in_bare) = piece(rest, first);
        let lines = || "\n".repeat(rest[..length].matches('\n').count());
        code.push_str(&if in_code {
            rest[..length].to_owned()
        } else {
            lines()
        });
        bare.push_str(&if in_bare {
            rest[..length].to_owned()
        } else {
            lines()
        });
        rest = &rest[length..];
    }
    (code, bare)
}

/// The next piece of a text: its length, whether it is code at all, and whether it is unquoted code.
fn piece(rest: &str, first: char) -> (usize, bool, bool) {
    let up_to = |end: &str, from: usize| {
        rest[from..]
            .find(end)
            .map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false, false);
    }
    if rest.starts_with("/*") {
        return (up_to("*/", 2), false, false);
    }
    let hashes = rest
        .strip_prefix('r')
        .map(|raw| raw.len() - raw.trim_start_matches('#').len());
    if let Some(hashes) = hashes.filter(|hashes| rest[1 + hashes..].starts_with('"')) {
        return (
            up_to(&format!("\"{}", "#".repeat(hashes)), 2 + hashes),
            true,
            false,
        );
    }
    match first {
        '"' => {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            (end.map_or(rest.len(), |end| end + 2), true, false)
        }
        // A character; else it is a lifetime.
        '\'' if rest[1..].starts_with('\\') => (up_to("'", 3), true, false),
        '\'' => {
            let quoted = rest.chars().nth(1).map_or(0, char::len_utf8);
            let closes = rest[1 + quoted..].starts_with('\'');
            (if closes { quoted + 2 } else { 1 }, true, !closes)
        }
        c if c.is_alphanumeric() || c == '_' => {
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            (word.unwrap_or(rest.len()), true, true)
        }
        c => (c.len_utf8(), true, true),
    }
}

/// The names that follow `prefix` in a file's code, with their lines: one, or a group in braces.
fn named_after(source: &Source, prefix: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in source.bare.iter().enumerate() {
        for (at, _) in text.match_indices(prefix) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let after = &text[at + prefix.len()..];
            let all = if let Some(group) = after.strip_prefix('{') {
                let following = source.bare[line + 1..].iter().map(String::as_str);
                top_of_group(std::iter::once(group).chain(following))
            } else {
                vec![word(after)]
            };
            found.extend(all.into_iter().map(|name| (line, name)));
        }
    }
    found
}

fn word(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    text[..end.unwrap_or(text.len())].to_owned()
}

/// The first names of the paths in a group whose opening brace was just read.
fn top_of_group<'s>(lines: impl Iterator<Item = &'s str>) -> Vec<String> {
    let (mut depth, mut path, mut names) = (0, String::new(), Vec::new());
    for c in lines.flat_map(|line| line.chars().chain(['\n'])) {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut path)),
            c if depth == 0 => path.push(c),
            _ => {}
        }
    }
    names.push(path);
    let names = names.iter().map(|path| word(path.trim()));
    names.filter(|name| !name.is_empty()).collect()
}

/// Rooms that a file uses: by `crate::`, and by more `super::` than lead to the room's own top.
pub(super) fn rooms_used(source: &Source) -> Vec<(usize, String)> {
    let mut used = named_after(source, "crate::");
    for steps in 1..=6 {
        let outside = named_after(source, &"super::".repeat(steps)).into_iter();
        used.extend(outside.filter(|(line, name)| name != "super" && steps >= source.depth(*line)));
    }
    let is_room = |name: &str| ROOMS.iter().any(|room| room.name == name) || JOINTS.contains(&name);
    used.retain(|(_, name)| is_room(name) && name != source.room());
    used
}

/// The crates in Cargo.toml that may be used outside of tests, as code spells them.
pub(super) fn dependencies() -> BTreeSet<String> {
    let manifest: toml::Table = fs::read_to_string(manifest().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let listed = manifest["dependencies"].as_table().unwrap();
    listed.keys().map(|name| name.replace('-', "_")).collect()
}

pub(super) fn crates_used(source: &Source, known: &BTreeSet<String>) -> Vec<(usize, String)> {
    let modules = source
        .bare
        .iter()
        .filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod "));
    let own: BTreeSet<&str> = modules.map(|(_, name)| name).collect();
    let mut used = Vec::new();
    for (line, text) in source.bare.iter().enumerate().take(source.tests_from) {
        for (at, _) in text.match_indices("::") {
            let start = text[..at]
                .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
                .map_or(0, |at| at + 1);
            let is_first = !text[..start].ends_with(':') && !text[..start].ends_with('.');
            let name = &text[start..at];
            if is_first && known.contains(name) && !own.contains(name) {
                used.push((line, name.to_owned()));
            }
        }
    }
    used
}

/// The reader of all the above is itself looked at: what it does not see, it cannot forbid.
#[test]
fn the_reading_sees_code_and_not_what_is_said_about_it() {
    let text = "use crate::{domain::a, gate as g,\n storage};\n\
        // crate::http\n/* crate::cli */ let a = \"crate::app // \\\" crate::app\"; sqlx::query();\n\
        let b = ('\"', '\\'', r#\"crate::app \" \"#); fn c<'a>(d: super::super::policy::E, f: &'a reqwest::G) {}\n";
    let (code, bare) = strip(text);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(code.lines().count(), text.lines().count());
    let source = Source {
        path: "journal/x.rs".to_owned(),
        code: lines(&code),
        bare: lines(&bare),
        lines: 5,
        tests_from: usize::MAX,
    };
    let rooms: Vec<_> = rooms_used(&source)
        .into_iter()
        .map(|(line, name)| (line + 1, name))
        .collect();
    let seen = |line: usize, name: &str| (line, name.to_owned());
    assert_eq!(
        rooms,
        [
            seen(1, "domain"),
            seen(1, "gate"),
            seen(1, "storage"),
            seen(5, "policy")
        ]
    );
    let known = BTreeSet::from(["sqlx".to_owned(), "reqwest".to_owned()]);
    let crates: Vec<_> = crates_used(&source, &known)
        .into_iter()
        .map(|(line, name)| (line + 1, name))
        .collect();
    assert_eq!(crates, [seen(4, "sqlx"), seen(5, "reqwest")]);
}
