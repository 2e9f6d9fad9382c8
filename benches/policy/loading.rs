//! Loading two hundred policy files, their tests included: what a reload takes.

use std::hint::black_box;

use bookgate::policy::SourceFile;

use crate::figures::{Table, median, short};
use crate::{Scale, TWENTY, done, file, policies, ratio};

const FILES: usize = 200;

pub(crate) fn run(scale: &Scale) {
    let files: Vec<SourceFile> = (0..FILES).map(numbered).collect();
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    let [loading, parsing] = scale.ns([&mut || done(policies(files.clone(), "")), &mut || {
        for file in &files {
            done(black_box(&file.text).parse::<toml::Table>().is_ok());
        }
    }]);
    let mut table = Table::new(["", "ms", "of parsing"]);
    for (name, times) in [("policies, tested", &loading), ("TOML alone", &parsing)] {
        table.row([
            name.to_owned(),
            short(median(times.iter().copied()) / 1e6),
            short(ratio(times, &parsing)),
        ]);
    }
    let kb = bytes / FILES / 1_000;
    table.print(&format!(
        "{FILES} files of {kb} KB loaded, each with 20 criteria and 2 tests; goal: less than 200 ms"
    ));
}

/// The policy under an id and for an event type of its own.
fn numbered(number: usize) -> SourceFile {
    let text = TWENTY.replacen("\"twenty\"", &format!("\"policy-{number}\""), 1);
    let text = text.replacen("\"session\"", &format!("\"session-{number}\""), 1);
    file(&format!("policy-{number}.toml"), text)
}
