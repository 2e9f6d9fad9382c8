//! Answers as text: columns for lists, labelled lines for single things, in [`WIDTH`] columns where
//! the values allow. What people at the provider typed cannot steer a terminal from here.

use std::io::{self, Write};

use serde_json::Value;

use crate::domain::clock::{Timestamp, ms_between};

/// How wide running text may become.
const WIDTH: usize = 80;
/// How far a value stands to the right of where its label begins.
const LABEL_WIDTH: usize = 14;
/// What parts two columns.
const GAP: &str = "  ";
/// What stands before a last column that has lines of its own.
const BELOW: &str = "    ";
/// The narrowest that a last column is wrapped to.
const LAST_WIDTH_MIN: usize = 30;

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

/// How long ago a time was, or how far ahead it is, in one number.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let ms = ms_between(time, now);
    let seconds = ms.unsigned_abs() / 1_000;
    let text = match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    match ms < 0 {
        true => format!("in {text}"),
        false => format!("{text} ago"),
    }
}

/// Rows in columns as wide as they need. Where that is more than [`WIDTH`], the last column is wrapped, or
/// goes below its row; where the others alone are too wide, each row becomes a block of labelled lines.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    header: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let rows: Vec<[String; N]> = std::iter::once(header.map(str::to_owned))
        .chain(rows.iter().cloned())
        .map(|row| row.each_ref().map(|cell| plain(cell)))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // All columns but the last, each with the gap behind it.
    let last = N.saturating_sub(1);
    let before: usize = widths[..last].iter().map(|width| width + GAP.len()).sum();
    let room = WIDTH.saturating_sub(before);
    let words = rows.iter().flat_map(|row| row[last].split_whitespace());
    let longest_word = words.map(|word| word.chars().count()).max().unwrap_or(0);
    if before + widths[last] <= WIDTH || room >= LAST_WIDTH_MIN.max(longest_word) {
        return columns(out, &rows, &widths[..last], before, room.max(1));
    }
    if before <= WIDTH + GAP.len() {
        return below(out, &rows, &widths[..last]);
    }
    blocks(out, &header, &rows[1..])
}

/// The cells but for the last, in columns.
fn cells(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths);
    let cells = cells.map(|(cell, width)| format!("{cell:width$}{GAP}"));
    cells.collect()
}

/// The last column goes on below where it began.
fn columns<const N: usize>(
    out: &mut dyn Write,
    rows: &[[String; N]],
    widths: &[usize],
    before: usize,
    room: usize,
) -> io::Result<()> {
    for row in rows {
        let mut head = cells(row, widths);
        for line in wrapped(&row[widths.len()], room) {
            writeln!(out, "{}", format!("{head}{line}").trim_end())?;
            head = " ".repeat(before);
        }
    }
    Ok(())
}

/// The last column has lines of its own.
fn below<const N: usize>(
    out: &mut dyn Write,
    rows: &[[String; N]],
    widths: &[usize],
) -> io::Result<()> {
    for row in rows {
        writeln!(out, "{}", cells(row, widths).trim_end())?;
        for line in wrapped(&row[widths.len()], WIDTH - BELOW.len()) {
            if !matches!(line.as_str(), "" | "-") {
                writeln!(out, "{BELOW}{line}")?;
            }
        }
    }
    Ok(())
}

fn blocks<const N: usize>(
    out: &mut dyn Write,
    header: &[&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        for (label, cell) in header.iter().zip(row) {
            field(out, 0, label, cell)?;
        }
    }
    Ok(())
}

/// A text in lines of at most `width` characters, as far as its words allow; at least one line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What a JSON value says, in words that can be wrapped: `checked 3, sources (calcom (repaired 1))`.
pub(super) fn in_words(value: &Value) -> String {
    match value {
        Value::Object(all) => {
            let all = all.iter().map(|(key, value)| match value {
                Value::Object(_) | Value::Array(_) => format!("{key} ({})", in_words(value)),
                value => format!("{key} {}", in_words(value)),
            });
            all.collect::<Vec<_>>().join(", ")
        }
        Value::Array(all) => all.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
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
    if label.chars().count() >= LABEL_WIDTH {
        line.push(' ');
    }
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
    fn what_is_too_wide_is_wrapped_put_below_or_taken_apart() {
        let text = "not sent: the time for this call was over, and nobody has heard of it since";
        let row = |first: usize| [["x".repeat(first), "short".to_owned(), text.to_owned()]];
        let shown = |first| written(|out| table(out, ["id", "state", "why"], &row(first)));
        expect![[r#"
            id                    state  why
            xxxxxxxxxxxxxxxxxxxx  short  not sent: the time for this call was over, and
                                         nobody has heard of it since
        "#]]
        .assert_eq(&shown(20));
        expect![[r#"
            id                                                            state
                why
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx  short
                not sent: the time for this call was over, and nobody has heard of it since
        "#]]
        .assert_eq(&shown(60));
        expect![[r#"
            id            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            state         short
            why           not sent: the time for this call was over, and nobody has heard of
                          it since
        "#]]
        .assert_eq(&shown(78));
        for first in [20, 60] {
            assert!(
                shown(first)
                    .lines()
                    .all(|line| line.chars().count() <= WIDTH)
            );
        }
    }

    #[test]
    fn how_long_ago_is_one_number() {
        let now: Timestamp = "2030-01-10T00:00:00Z".parse().unwrap();
        for (time, told) in [
            ("2030-01-09T23:59:59.5Z", "0 s ago"),
            ("2030-01-09T22:30:00Z", "90 min ago"),
            ("2030-01-08T20:00:00Z", "28 h ago"),
            ("2030-01-05T00:00:00Z", "5 days ago"),
            ("2030-01-10T00:01:00Z", "in 60 s"),
        ] {
            assert_eq!(ago(time.parse().unwrap(), now), told);
        }
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
