//! The character NUL, which strangers may type and PostgreSQL's texts cannot hold.

use std::borrow::Cow;

/// What is stored, and looked for, in its place: SUBSTITUTE, which stands for what cannot be represented.
/// It has the same size, so that an import can compare sizes.
const STAND_IN: &str = "\u{1a}";

/// A text as a server can hold it.
pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', STAND_IN)),
        false => Cow::Borrowed(text),
    }
}

/// A JSON value with all its texts as a server can hold them.
pub(super) fn without_nul_inside(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::String(text) => {
            if let Cow::Owned(clean) = without_nul(text) {
                *text = clean;
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nul_inside),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(without_nul_inside),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_character_nul_is_replaced() {
        for (text, clean) in [
            ("", ""),
            ("é\n\u{1f600}", "é\n\u{1f600}"),
            ("\0", "\u{1a}"),
            ("a\0\0é", "a\u{1a}\u{1a}é"),
            ("\\u0000", "\\u0000"),
        ] {
            assert_eq!(without_nul(text), clean);
            assert_eq!(
                without_nul(text).len(),
                text.len(),
                "an import compares sizes"
            );
            let mut json = serde_json::json!({ "a": [text, 1, null, { "b": text }] });
            without_nul_inside(&mut json);
            assert_eq!(
                json,
                serde_json::json!({ "a": [clean, 1, null, { "b": clean }] })
            );
        }
    }
}
