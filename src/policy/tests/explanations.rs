//! Every code is explained, and the examples are what they say.

use std::collections::BTreeSet;
use std::io;

use jiff::civil::date;

use crate::policy::codes::Code;
use crate::policy::explain::{Example, FRAME, SECOND_FILE};
use crate::policy::lists::LIST_LINES_MAX;
use crate::policy::load::{FILE_BYTES_MAX, FILES_MAX};
use crate::policy::tests::support::{load_files, load_texts, units};
use crate::policy::{Diagnostics, EventTypes, LoadContext, PolicySet, SourceFile, load};

fn found(loaded: Result<(PolicySet, Diagnostics), Diagnostics>) -> BTreeSet<Code> {
    let found = match loaded {
        Ok((set, hints)) => {
            let intake =
                EventTypes::from([("calcom".to_owned(), Some(vec![(7, "intake".to_owned())]))]);
            let old = set.old_shadows(date(2027, 3, 1));
            hints.and(old).and(set.unknown_event_types(&intake))
        }
        Err(errors) => errors,
    };
    found.iter().map(|one| one.code).collect()
}

fn in_files(example: &str) -> BTreeSet<Code> {
    let whole = match example.contains("schema =") {
        true => example.to_owned(),
        false => format!("{FRAME}{example}"),
    };
    let files: Vec<&str> = whole.split(SECOND_FILE).collect();
    found(load_texts(&files))
}

#[test]
fn every_code_has_an_example_that_gives_it_and_one_that_does_not() {
    let mut told = Vec::new();
    for code in Code::ALL {
        let about = code.explanation().unwrap_or_else(|| panic!("{code}"));
        assert!(
            about.why.len() > 40 && about.why.ends_with(['.', ')', ']']),
            "{code}"
        );
        match (about.wrong, about.right) {
            (Example::Toml(wrong), Example::Toml(right)) => {
                let (in_wrong, in_right) = (in_files(wrong), in_files(right));
                assert!(in_wrong.contains(code), "{code}: {in_wrong:?}\n{wrong}");
                assert!(!in_right.contains(code), "{code}\n{right}");
                let errors = |code: &Code| code.severity() == crate::policy::codes::Severity::Error;
                assert!(
                    !in_right.iter().any(errors),
                    "{code}: {in_right:?}\n{right}"
                );
            }
            (Example::Words(_), Example::Words(_)) => told.push(*code),
            _ => panic!("{code}: one example is written out and one told"),
        }
    }
    // Too long to be written out; that files cannot be read is found where they are.
    assert_eq!(
        told,
        [
            Code::FileTooLarge,
            Code::TooManyFiles,
            Code::Unreadable,
            Code::TooMany,
            Code::ListTooLong
        ]
    );
    let file = |number: usize, text: String| SourceFile {
        name: format!("{number}.toml"),
        text,
    };
    let large = vec![file(1, "#".repeat(FILE_BYTES_MAX + 1))];
    assert!(found(load_files(large)).contains(&Code::FileTooLarge));
    let many = (0..=FILES_MAX)
        .map(|number| file(number, String::new()))
        .collect();
    assert!(found(load_files(many)).contains(&Code::TooManyFiles));
    let line = "{ notice = \"1h\", percent = 1 },";
    let refunds = format!("{FRAME}[credits]\nrefund = [{}]\n", line.repeat(51));
    assert!(found(load_texts(&[&refunds])).contains(&Code::TooMany));
    let units = units();
    let read_list = |_: &str, _: &str| Ok::<_, io::Error>("a.example\n".repeat(LIST_LINES_MAX + 1));
    let context = LoadContext::new(&units, &read_list);
    let listed = format!(
        "{FRAME}[[criterion]]\nid = \"a\"\nkind = \"deny-list\"\nlist = {{ file = \"long.txt\" }}\n"
    );
    assert!(found(load(vec![file(1, listed)], &context)).contains(&Code::ListTooLong));
}
