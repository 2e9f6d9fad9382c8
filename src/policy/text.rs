//! Texts that leave the room: cleaned of what is not meant to be read, and of limited length.

/// The longest id, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Whether a text is an id: lower-case letters, digits and hyphens, none in front.
pub fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let length = (1..=ID_BYTES_MAX).contains(&text.len());
    length && text.bytes().all(plain) && !text.starts_with('-')
}

/// The longest reason a booker is given, in characters: providers cut or refuse longer ones.
pub const MESSAGE_CHARS_MAX: usize = 300;
/// The longest text of a stranger that is kept as a fact, in characters.
pub const FACT_CHARS_MAX: usize = 200;
/// The longest piece of a file that a diagnostic repeats, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// One line of readable text: control characters and marks that turn the direction of writing are
/// dropped, white space is one blank, and what is too long ends in an ellipsis.
pub fn clean(text: &str, chars_max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(chars_max * 4));
    let mut chars = 0;
    let mut blank = false;
    for letter in text.chars() {
        if letter.is_whitespace() {
            blank = chars > 0;
            continue;
        }
        if letter.is_control() || is_invisible(letter) {
            continue;
        }
        if chars + usize::from(blank) >= chars_max {
            return shorten(line, chars_max);
        }
        if blank {
            line.push(' ');
            chars += 1;
            blank = false;
        }
        line.push(letter);
        chars += 1;
    }
    line
}

/// A text of a stranger as a criterion measured it: one line, at most [`FACT_CHARS_MAX`] characters.
pub fn shown(text: &str) -> String {
    clean(text, FACT_CHARS_MAX)
}

/// A piece of a policy file as a diagnostic repeats it, in backticks.
pub fn quote(text: &str) -> String {
    format!("`{}`", clean(text, QUOTE_CHARS_MAX))
}

/// Several names as a diagnostic lists them: `` `a`, `b`, `c` ``.
pub fn quote_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(quote).collect();
    quoted.join(", ")
}

/// The name that was probably meant: the nearest by edit distance, if it is near enough.
pub fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let written_chars = written.chars().count();
    if written_chars > QUOTE_CHARS_MAX {
        return None;
    }
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(written, name), name))
        .filter(|(distance, name)| {
            *distance <= (name.chars().count().max(written_chars) / 3).max(1)
        })
        .min()
        .map(|(_, name)| name)
}

fn shorten(mut line: String, chars_max: usize) -> String {
    let keep = chars_max.saturating_sub(1);
    if let Some((end, _)) = line.char_indices().nth(keep) {
        line.truncate(end);
    }
    line.push('…');
    line
}

/// Marks that change how other text is shown: Unicode's bidirectional controls, zero-width
/// characters and the byte order mark.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_and_direction_marks_are_dropped() {
        assert_eq!(clean("a\u{0}b\u{202e}c\r\n\td ", 20), "abc d");
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd   ", 4), "abcd");
    }

    #[test]
    fn a_slip_is_guessed_and_a_different_word_is_not() {
        assert_eq!(nearest("mesage", ["message", "note"]), Some("message"));
        assert_eq!(nearest("colour", ["message", "note"]), None);
    }

    proptest! {
        #[test]
        fn never_longer_than_asked(text in any::<String>(), max in 1_usize..40) {
            let line = clean(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
