//! A set is made again from what is kept of it, and is the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::support::{HOLIDAYS, facts, policies, units};
use crate::domain::booking::Answer;
use crate::policy::lists::ListFile;
use crate::policy::{Evaluation, LoadContext, PolicySet, SetPart, SourceFile, load, restore};

const LENDER: &str = r#"
schema = 1
[policy]
id = "lender"
kind = "guardrail"
[[criterion]]
id = "soon"
kind = "notice"
min = "2h"
[require]
all = ["soon"]
[groups]
early = { all = ["soon"] }
"#;
const BORROWER: &str = r#"
schema = 1
[policy]
id = "borrower"
[[criterion]]
id = "early"
kind = "use"
policy = "lender"
group = "early"
[[criterion]]
id = "blocked"
kind = "deny-list"
list = { file = "lists/blocked.txt" }
[require]
all = ["early", "blocked"]
[[test]]
name = "whose tests do not matter any more"
now = 2027-03-01T12:00:00Z
booking = { start = 2027-03-01T18:00:00Z, email = "new@example.org" }
expect = { decision = "accept" }
"#;

/// What is kept of a calendar and of secret codes has names that are no files': nobody looks there for them.
#[test]
fn only_files_that_policies_name_are_asked_for() {
    const NAMES: &str = r#"
schema = 1
[policy]
id = "names"
[[criterion]]
id = "open"
kind = "window"
calendar = { file = "holidays.ics" }
[[criterion]]
id = "invited"
kind = "invite-code"
field = "invite"
codes = { secret = "env:CODES" }
"#;
    let asked = RefCell::default();
    let read_list = |_: &str, path: &str| {
        let asked: &RefCell<Vec<String>> = &asked;
        asked.borrow_mut().push(path.to_owned());
        match path {
            "holidays.ics" => Ok(HOLIDAYS.to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    };
    let units = units();
    let file = SourceFile {
        name: "a.toml".to_owned(),
        text: NAMES.to_owned(),
    };
    load(vec![file], &LoadContext::new(&units, &read_list)).unwrap();
    assert_eq!(asked.into_inner(), ["holidays.ics"]);
}

/// What of a set is kept: its parts with their texts, and its lists.
type Kept = (Vec<(SetPart, String)>, Vec<ListFile>);

fn set(list: &str) -> Option<PolicySet> {
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let (units, read_list) = (units(), |_: &str, _: &str| Ok(list.to_owned()));
    let context = LoadContext::new(&units, &read_list);
    let files = vec![file("a.toml", LENDER), file("b.toml", BORROWER)];
    load(files, &context).ok().map(|(set, _)| set)
}

fn kept(set: &PolicySet) -> Kept {
    let texts: BTreeMap<_, _> = set
        .policies()
        .map(|policy| (policy.hash, policy.source.text.clone()))
        .collect();
    let parts = set.parts().into_iter().map(|part| {
        let text = texts[&part.hash].clone();
        (part, text)
    });
    let lists = set.policies().flat_map(|policy| policy.lists.values());
    (parts.collect(), lists.cloned().collect())
}

fn entries(lists: &[ListFile]) -> BTreeMap<crate::policy::PolicyHash, String> {
    let text = |file: &ListFile| (file.digest, file.list.text());
    lists.iter().map(text).collect()
}

#[test]
fn a_set_is_made_again_without_its_files_and_its_tests() {
    let before = set("eve@example.org # why\n\n*.Spam.example\n").unwrap();
    let (mut parts, lists) = kept(&before);
    for (_, text) in &mut parts {
        *text = text.replace("\"accept\"", "\"reject\"");
    }
    let again = restore(parts, &entries(&lists), &units()).unwrap();
    assert_eq!(again.hash(), before.hash());
    let json = serde_json::to_string(&before.parts()).unwrap();
    let parts: Vec<SetPart> = serde_json::from_str(&json).unwrap();
    assert_eq!(parts, again.parts());
}

#[test]
fn what_was_not_kept_is_told() {
    let (parts, _) = kept(&set("eve@example.org").unwrap());
    let wrong = restore(parts, &BTreeMap::new(), &units()).unwrap_err();
    let wrong = wrong.render(false);
    assert!(wrong.contains("cannot be read: it was not kept"), "{wrong}");
}

#[test]
fn of_secret_codes_only_digests_are_kept() {
    const SECRET: &str = "schema = 1\n[policy]\nid = \"a\"\n[[criterion]]\nid = \"b\"\nkind = \"invite-code\"\nfield = \"invite\"\ncodes = { secret = \"env:CODES\" }\nuses = 1\n";
    let invited = |set: &PolicySet, code: &str| {
        let mut facts = facts();
        let code = Answer::Text(code.to_owned());
        facts.details.answers.insert("invite".to_owned(), code);
        matches!(set.evaluate(&facts), Evaluation::Needs(_))
    };
    let before = policies(&[SECRET]);
    assert!(invited(&before, "Oolong") && invited(&before, "darjeeling"));
    assert!(!invited(&before, "oolong, darjeeling") && !invited(&before, ""));
    let (parts, lists) = kept(&before);
    let lists = entries(&lists);
    let texts: String = lists.values().map(|text| text.to_lowercase()).collect();
    assert_eq!(texts.lines().count(), 2);
    assert!(!texts.contains("oolong"), "{texts}");
    let again = restore(parts, &lists, &units()).unwrap();
    assert_eq!(again.hash(), before.hash());
    assert!(invited(&again, "oolong") && !invited(&again, "assam"));
    let absent = policies(&[&SECRET.replace("CODES", "ABSENT")]);
    assert!(!invited(&absent, "oolong"));
}

proptest! {
    #[test]
    fn a_list_is_made_again_from_its_entries(lines in proptest::collection::vec(
        prop_oneof!["[a-zA-Z.+@ ]{0,12}", "[a-c]{1,3}@[a-c]{1,3}\\.example", "\\*\\.[a-c]\\.example",
            "@[a-c]\\.example", "\\+4479460[0-9]{5}", "\\PC{0,20}"], 0..20)) {
        let right = |line: &String| set(line).is_some();
        let lines: Vec<String> = lines.into_iter().filter(right).collect();
        let Some(before) = set(&lines.join("\n")) else { return Ok(()) };
        let (parts, lists) = kept(&before);
        let again = restore(parts, &entries(&lists), &units());
        prop_assert_eq!(again.unwrap().hash(), before.hash());
        let twice = Arc::clone(&lists[0].list);
        prop_assert_eq!(twice.text(), lists[0].list.text());
    }
}
