//! The guide and the reference: what stands there in TOML is what the loader takes.

use std::collections::BTreeSet;

use super::examples::folder;
use super::support::{HOLIDAYS, load_texts, units};
use crate::policy::codes::Code;
use crate::policy::kinds::KINDS;
use crate::policy::{Diagnostic, LoadContext, SourceFile, load};

const PAGES: [&str; 2] = ["README.md", "REFERENCE.md"];
/// What a part of a policy is a part of.
const FRAME: &str = "schema = 1\n[policy]\nid = \"page\"\n[credits]\ncost = { base = \"1\" }\n";
/// Policies that those of the pages speak of.
const CLUB: &str = "schema = 1\n[policy]\nid = \"club\"\npriority = 1\n";

fn page(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// The blocks of TOML of a page.
fn blocks(page: &str) -> Vec<&str> {
    let parts = page.split("```toml\n").skip(1);
    parts
        .map(|part| part.split_once("```").unwrap().0)
        .collect()
}

/// What is written on its lines between single backticks.
fn snippets(page: &str) -> Vec<&str> {
    let mut in_block = false;
    let lines = page.lines().filter(|line| {
        in_block ^= line.starts_with("```");
        !in_block
    });
    lines
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// The errors in files, with the lists and secrets that pages speak of.
fn errors(texts: &[&str]) -> Vec<Diagnostic> {
    let files = texts.iter().enumerate().map(|(number, text)| SourceFile {
        name: format!("{number}.toml"),
        text: (*text).to_owned(),
    });
    let units = units();
    let read_list = |_: &str, path: &str| match path {
        "lists/holidays.ics" => Ok(HOLIDAYS.to_owned()),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    };
    match load(files.collect(), &LoadContext::new(&units, &read_list)) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().filter(|one| one.is_error()).cloned().collect(),
    }
}

/// Parts of a page are parts of one policy, in their order.
fn parts(page: &str) -> String {
    let parts = blocks(page).into_iter();
    let parts = parts.filter(|block| !block.contains("[policy]"));
    FRAME.to_owned() + &parts.collect::<String>()
}

#[test]
fn what_the_pages_show_loads_and_does_what_they_say() {
    for name in PAGES {
        let page = page(name);
        assert!(!blocks(&page).is_empty());
        let found = errors(&[&parts(&page)]);
        assert!(found.is_empty(), "{name}: {found:?}");
        for block in blocks(&page) {
            if !block.contains("[policy]") {
                continue;
            }
            let whole = match block.contains("schema = 1") {
                true => block.to_owned(),
                false => format!("schema = 1\n{block}"),
            };
            let found = errors(&[&whole, CLUB]);
            assert!(found.is_empty(), "{name}: {found:?}\n{whole}");
        }
    }
}

/// Whatever comes of those tests, they can be read.
#[test]
fn what_the_pages_give_in_tests_is_known() {
    let mut seen = 0;
    for name in PAGES {
        let page = page(name);
        let given = snippets(&page).into_iter();
        for given in given.filter(|snippet| snippet.starts_with("given = ")) {
            let test = "[[test]]\nname = \"a\"\nexpect = { decision = \"accept\" }\n";
            let text = format!("{}{test}{given}\n", parts(&self::page("REFERENCE.md")));
            let mut found = errors(&[&text]);
            found.retain(|one| one.code != Code::TestFailed);
            assert!(found.is_empty(), "{name}: {given}: {found:?}");
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn the_smallest_policy_of_the_guide_is_one() {
    let (_, remarks) = load_texts(&[blocks(&page("README.md"))[0]]).unwrap();
    assert!(remarks.is_empty(), "{}", remarks.render(false));
}

#[test]
fn the_reference_has_every_kind_with_its_keys_and_placeholders() {
    let guide = page("REFERENCE.md");
    for kind in KINDS {
        let name = format!("`{}`", kind.name());
        let row = guide
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&name));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the reference"));
        for placeholder in kind.placeholders() {
            assert!(
                row.contains(&format!("`{{{placeholder}}}`")),
                "{name} {placeholder}"
            );
        }
        // A quota of hours says of its keys that they are those of the other.
        let keys = kind.keys().iter().filter(|_| !row.contains("as `quota`"));
        let told: BTreeSet<&str> = row.split(['`', '.', '[', ']']).collect();
        for key in keys {
            assert!(told.contains(key.name), "{name} {}", key.name);
        }
    }
}
