//! Phone numbers, in the one form in which two of them can be compared.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The fewest and the most digits of a number with its country code (ITU-T E.164 allows 15).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A phone number with its country code: `+` and digits. What people put between the digits is gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// The text is not a phone number with its country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number: `+`, the country code and the number, 7 to 15 digits")]
pub struct NotANumber;

impl Phone {
    /// Reads `+44 20 7946 0000`, `+44 (20) 7946-0000` or `0044 20 7946 0000`.
    ///
    /// # Errors
    /// The country code is missing, as in `020 7946 0000`, which is a different number in every
    /// country; or the text is no number.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let text = text.trim();
        let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"));
        let rest = rest.ok_or(NotANumber)?;
        let between = |letter: char| matches!(letter, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}');
        let digits: String = rest.chars().filter(|letter| !between(*letter)).collect();
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain || !DIGITS.contains(&digits.len()) || digits.starts_with('0') {
            return Err(NotANumber);
        }
        Ok(Self(format!("+{digits}")))
    }

    /// The number as `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Phone {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, NotANumber> {
        Self::parse(&text)
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_are_one() {
        for text in [
            "+442079460000",
            " +44 20 7946 0000",
            "+44 (20) 7946-0000",
            "0044.20/7946.0000",
        ] {
            assert_eq!(
                Phone::parse(text).unwrap().as_str(),
                "+442079460000",
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_another_number_elsewhere_is_none() {
        for text in [
            "",
            "+",
            "020 7946 0000",
            "+44",
            "+0442079460000",
            "+44 20 CALL ME",
            "+1234567890123456",
            "+٤٤٢٠٧٩٤٦٠٠٠٠",
        ] {
            assert!(Phone::parse(text).is_err(), "{text:?}");
        }
    }
}
