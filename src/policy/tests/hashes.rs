//! A policy's hash is its meaning.

use crate::policy::PolicyHash;
use crate::policy::tests::support::{load_texts, policies};

const TEXT: &str = r#"
schema = 1
[policy]
id = "a"
priority = 10
[[criterion]]
id = "n"
kind = "notice"
min = "24h"
[[criterion]]
id = "l"
kind = "deny-list"
list = { file = "blocked.txt" }
"#;

fn hash(text: &str) -> PolicyHash {
    policies(&[text]).policies().next().unwrap().hash
}

#[test]
fn comments_formatting_and_tests_do_not_count() {
    let same = [
        format!("# a remark\n{TEXT}"),
        TEXT.replace("min = \"24h\"", "min   =   '24h' # a day"),
        TEXT.replace("priority = 10", "priority = 0xA"),
        TEXT.replace("id = \"a\"\npriority = 10", "priority = 10\nid = \"a\""),
        format!("{TEXT}\n[[test]]\nname = \"t\"\nexpect = {{ decision = \"accept\" }}\n"),
    ];
    for text in same {
        assert_eq!(hash(&text), hash(TEXT), "{text}");
    }
}

#[test]
fn every_value_and_every_listed_entry_counts() {
    let other = [
        TEXT.replace("24h", "25h"),
        TEXT.replace("priority = 10", "priority = 11"),
        TEXT.replace("id = \"n\"", "id = \"m\""),
        TEXT.replace("blocked.txt", "empty.txt"),
        TEXT.replace("min = \"24h\"", "min = \"24h\"\nmessage = \"No.\""),
    ];
    for text in other {
        assert_ne!(hash(&text), hash(TEXT), "{text}");
    }
}

#[test]
fn the_hash_is_the_same_in_every_build() {
    // Stored decisions refer to it; if this changes, give `canonical::FORM` a new number.
    expect_test::expect!["00e68a1907c53dfa5b2293bb5fa40904865697143248caf6473f05548f0e04e5"]
        .assert_eq(&hash(TEXT).to_string());
}

#[test]
fn the_set_has_a_hash_of_its_own_that_does_not_depend_on_the_order_of_files() {
    let other = TEXT.replace("id = \"a\"", "id = \"b\"").replace("10", "11");
    let (one, two) = (policies(&[TEXT, &other]), policies(&[&other, TEXT]));
    assert_eq!(one.hash(), two.hash());
    assert_ne!(one.hash(), policies(&[TEXT]).hash());
    assert!(load_texts(&[]).is_ok());
}
