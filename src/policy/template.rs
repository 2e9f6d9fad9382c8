//! Messages with placeholders: `This costs {cost}, you have {available|nothing}.` Braces that are
//! meant as such are doubled.

use super::diagnostic::Span;
use super::measured::Values;
use super::text::{MESSAGE_CHARS_MAX, clean};
use super::words::Language;

/// A message, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    language: Language,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Fact { name: Box<str>, default: Box<str> },
}

/// Why a text is not a message, and which of its bytes are to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// A brace without its partner, or a placeholder without a name.
    Brace(Span),
    /// A placeholder that the kind does not offer.
    Unknown(Span, String),
}

impl Template {
    /// Parses a message in English, in which only the names in `offered` may be used.
    ///
    /// # Errors
    /// A stray brace, or a placeholder that is not offered: the first of them.
    pub fn parse(text: &str, offered: &[&str]) -> Result<Self, TemplateError> {
        let (mut parts, mut plain, mut at) = (Vec::new(), String::new(), 0);
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            plain.push_str(&text[at..brace]);
            let doubled = text[brace..].starts_with("{{") || text[brace..].starts_with("}}");
            if doubled {
                plain.push_str(&text[brace..=brace]);
                at = brace + 2;
                continue;
            }
            let end = text[brace..]
                .find('}')
                .filter(|_| text[brace..].starts_with('{'));
            let end = brace + end.ok_or(TemplateError::Brace(brace..brace + 1))?;
            let inside = &text[brace + 1..end];
            let (name, default) = inside.split_once('|').unwrap_or((inside, ""));
            if name.is_empty() || name.contains('{') || default.contains('{') {
                return Err(TemplateError::Brace(brace..end + 1));
            }
            if !offered.contains(&name) {
                let span = brace + 1..brace + 1 + name.len();
                return Err(TemplateError::Unknown(span, name.to_owned()));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain).into()));
            }
            parts.push(Part::Fact {
                name: name.into(),
                default: default.into(),
            });
            at = end + 1;
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Ok(Self {
            language: Language::default(),
            parts,
        })
    }

    /// The same message, written in a language.
    #[must_use]
    pub fn written_in(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// The message with its facts filled in as its language has them, cleaned and cut to
    /// [`MESSAGE_CHARS_MAX`].
    pub fn render(&self, values: &Values) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Fact { name, default } => match values.get(name) {
                    // Writing into a text never fails.
                    Some(measure) => measure.write(self.language, &mut text).unwrap_or_default(),
                    None => text.push_str(default),
                },
            }
        }
        clean(&text, MESSAGE_CHARS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn render(text: &str) -> Result<String, TemplateError> {
        let mut values = Values::default();
        values.insert("cost", "2.5");
        let template = Template::parse(text, &["cost", "since"])?;
        Ok(template.render(&values))
    }

    #[test]
    fn facts_and_defaults_are_filled_in() {
        assert_eq!(render("costs {cost}").unwrap(), "costs 2.5");
        assert_eq!(
            render("{cost|?} {since|never} {since}.").unwrap(),
            "2.5 never ."
        );
        assert_eq!(render("{{cost}} is {cost}").unwrap(), "{cost} is 2.5");
    }

    #[test]
    fn mistakes_are_located() {
        assert_eq!(render("a {b"), Err(TemplateError::Brace(2..3)));
        assert_eq!(render("a } b"), Err(TemplateError::Brace(2..3)));
        assert_eq!(render("{}"), Err(TemplateError::Brace(0..2)));
        assert_eq!(
            render("{prize}"),
            Err(TemplateError::Unknown(1..6, "prize".into()))
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z{}|é ]{0,20}") {
            if let Ok(message) = render(&text) {
                prop_assert!(message.chars().count() <= MESSAGE_CHARS_MAX);
            }
        }
    }
}
