//! Answers as text: columns for lists, labelled lines for single things, in [`WIDTH`] columns where
//! the values allow. What people at the provider typed cannot steer a terminal from here.

use std::io::{self, Write};

use crate::domain::clock::Timestamp;

/// How wide running text may become.
const WIDTH: usize = 80;
/// How far a value stands to the right of where its label begins.
const LABEL_WIDTH: usize = 14;
/// What parts two columns.
const GAP: &str = "  ";

/// A text in which control characters do nothing.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}

/// A value that may be absent.
pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A time to the second: enough for people, and as wide each time.
pub(super) fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Rows in columns as wide as they need.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    header: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let header = header.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(&header)
        .chain(rows)
        .map(|row| row.each_ref().map(|cell| plain(cell)))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join(GAP).trim_end())?;
    }
    Ok(())
}

/// A label and its value, `indent` columns in; a long value goes on below where it began.
pub(super) fn field(
    out: &mut dyn Write,
    indent: usize,
    label: &str,
    value: &str,
) -> io::Result<()> {
    let value_at = indent + LABEL_WIDTH;
    let mut line = format!("{:indent$}{label:width$}", "", width = LABEL_WIDTH);
    let mut is_empty = true;
    for word in plain(value).split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(value_at);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [
            ["1".to_owned(), "ünïcode".to_owned(), "x".to_owned()],
            ["200".to_owned(), "-".to_owned(), String::new()],
        ];
        expect![[r#"
            id   name     note
            1    ünïcode  x
            200  -
        "#]]
        .assert_eq(&written(|out| table(out, ["id", "name", "note"], &rows)));
    }

    #[test]
    fn long_values_go_on_below() {
        let reason =
            "This session costs 2.5 credits and you have 2. Top up and book again, please.";
        let shown = written(|out| {
            field(out, 0, "message", reason)?;
            field(out, 2, "empty", "")
        });
        expect![[r#"
            message       This session costs 2.5 credits and you have 2. Top up and book
                          again, please.
              empty
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn a_terminal_cannot_be_steered() {
        let shown = written(|out| field(out, 0, "uid", "a\u{1b}[2Jb\u{9b}c\nd"));
        assert_eq!(shown, "uid           a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\n");
    }
}
