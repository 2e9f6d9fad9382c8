//! A text for the booker, in the languages that its author wrote.

use std::collections::BTreeMap;

use super::measured::Values;
use super::template::Template;

/// The longest language tag taken, in bytes (RFC 5646 §4.4.1 asks for room for 35).
const TAG_BYTES_MAX: usize = 35;

/// One text in several languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    default: Template,
    /// By language tag, as [`language`] writes it.
    others: BTreeMap<String, Template>,
}

impl From<Template> for Messages {
    fn from(default: Template) -> Self {
        let others = BTreeMap::new();
        Self { default, others }
    }
}

impl Messages {
    /// A text, and what it is in other languages, by tags as [`language`] writes them.
    pub fn new(default: Template, others: BTreeMap<String, Template>) -> Self {
        Self { default, others }
    }

    /// The text for a booker of this language, with its facts filled in. `pt-BR` takes what there is
    /// for `pt-BR`, else for `pt`, else the default.
    pub fn render(&self, locale: Option<&str>, values: &Values) -> String {
        let tag = locale
            .filter(|_| !self.others.is_empty())
            .and_then(language);
        let mut tag = tag.as_deref();
        while let Some(wanted) = tag {
            if let Some(text) = self.others.get(wanted) {
                return text.render(values);
            }
            tag = wanted.rsplit_once('-').map(|(wider, _)| wider);
        }
        self.default.render(values)
    }
}

/// A language tag as tags are compared: lower case, parts joined by hyphens. `None` if the text is
/// none: two or three letters, then parts of up to eight letters and digits.
pub fn language(text: &str) -> Option<String> {
    if text.len() > TAG_BYTES_MAX {
        return None;
    }
    let tag = text.trim().to_ascii_lowercase().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next()?;
    let named =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (named && parts.all(is_part)).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages() -> Messages {
        let text = |text: &str| Template::parse(text, &[]).unwrap();
        let others = ["de", "pt-br", "zh-hant"].map(|tag| (tag.to_owned(), text(tag)));
        Messages::new(text("default"), others.into())
    }

    #[test]
    fn the_region_s_text_then_the_language_s_then_the_default() {
        for (locale, expected) in [
            (Some("de"), "de"),
            (Some("de-AT"), "de"),
            (Some("DE_at"), "de"),
            (Some("pt-BR"), "pt-br"),
            (Some("pt"), "default"),
            (Some("pt-PT"), "default"),
            (Some("zh-Hant-TW"), "zh-hant"),
            (Some("zh"), "default"),
            (Some("en"), "default"),
            (Some(""), "default"),
            (Some("-"), "default"),
            (None, "default"),
        ] {
            assert_eq!(
                messages().render(locale, &Values::default()),
                expected,
                "{locale:?}"
            );
        }
    }

    #[test]
    fn other_texts_are_no_languages() {
        for text in [
            "",
            "d",
            "german",
            "de-",
            "de--at",
            "d3",
            "de-toolongpart",
            "dé",
        ] {
            assert_eq!(language(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_provider_says_there_is_a_text(locale in any::<String>()) {
            prop_assert!(!messages().render(Some(&locale), &Values::default()).is_empty());
        }
    }
}
