//! The policies that ship: they load without a single remark, together.

use std::path::{Path, PathBuf};

use crate::domain::decision::Outcome;
use crate::policy::tests::support::{facts, units};
use crate::policy::{Evaluation, LoadContext, Need, PolicySet, SourceFile, load};

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn shipped() -> PolicySet {
    set_in(&folder())
}

fn set_in(folder: &Path) -> PolicySet {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(SourceFile {
                name: path.to_str().unwrap().to_owned(),
                text: std::fs::read_to_string(&path).unwrap(),
            });
        }
    }
    let units = units();
    let read_list = |file: &str, path: &str| {
        std::fs::read_to_string(Path::new(file).parent().unwrap().join(path))
    };
    let context = LoadContext::new(&units, &read_list);
    let (set, remarks) = match load(files, &context) {
        Ok(loaded) => loaded,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    };
    assert!(remarks.is_empty(), "{}", remarks.render(false));
    set
}

#[test]
fn shipped_policies_load_without_a_remark_and_do_not_tie() {
    let set = shipped();
    let ids: Vec<&str> = set.policies().map(|policy| &*policy.id).collect();
    assert_eq!(
        ids,
        [
            "house-rules",
            "corporate-advisory",
            "chair-office-hours",
            "chair-office-hours-next",
            "clinic-intake",
            "executive-book-club",
            "mentoring"
        ]
    );
}

#[test]
fn those_that_need_something_of_yours_do_so_only_to_be_put_in_force() {
    let set = set_in(&folder().join("connected"));
    let ids: Vec<&str> = set.policies().map(|policy| &*policy.id).collect();
    assert_eq!(ids, ["enterprise-onboarding"]);
}

#[test]
fn the_book_club_asks_for_the_account_and_then_for_credit() {
    let set = shipped();
    let mut facts = facts();
    let Evaluation::Needs(needs) = set.evaluate(&facts) else {
        panic!("decided without looking at the account");
    };
    assert_eq!(needs.into_iter().collect::<Vec<_>>(), [Need::Account]);
    facts.account = crate::policy::Loaded::Known(None);
    let Evaluation::Decided(verdict) = set.evaluate(&facts) else {
        panic!("still not decided");
    };
    assert_eq!(verdict.outcome, Outcome::Reject);
    assert_eq!(verdict.failed, ["member-in-good-standing", "has-credit"]);
    assert_eq!(verdict.terms.cost.unwrap().minor, 200);
}
