//! Credits: integers in minor units of a unit with a fixed scale, decimals only at the edges.
//!
//! `ledger.md`, "Amounts": a fraction finer than the unit's scale is refused, never rounded.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// The finest scale a unit may have: nine decimals.
pub const SCALE_MAX: u32 = 9;

/// The code of a unit of account, such as `CREDIT`: `[A-Z][A-Z0-9_]{0,15}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitCode(String);

impl UnitCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UnitCode {
    type Error = AmountError;

    fn try_from(code: String) -> Result<Self, AmountError> {
        let mut letters = code.bytes();
        let first = letters.next().is_some_and(|b| b.is_ascii_uppercase());
        let rest = letters.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if first && rest && code.len() <= 16 {
            Ok(Self(code))
        } else {
            Err(AmountError::UnitCode(code))
        }
    }
}

impl TryFrom<&str> for UnitCode {
    type Error = AmountError;

    fn try_from(code: &str) -> Result<Self, AmountError> {
        Self::try_from(code.to_owned())
    }
}

impl From<UnitCode> for String {
    fn from(code: UnitCode) -> Self {
        code.0
    }
}

impl fmt::Display for UnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A unit of account: its code and how many decimals it has. The scale never changes once used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// The unit's code.
    pub code: UnitCode,
    /// Decimals of one unit: with scale 2, 1.50 is 150 minor units.
    pub scale: u32,
}

/// Why an amount was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is not a decimal number.
    #[error("`{0}` is not an amount: write a decimal number as a string, such as \"2.50\"")]
    NotANumber(String),
    /// The text has more decimals than the unit.
    #[error("`{text}` has more decimals than {unit} allows: at most {scale}")]
    Precision {
        /// The amount as given.
        text: String,
        /// The unit's code.
        unit: UnitCode,
        /// The decimals the unit has.
        scale: u32,
    },
    /// The amount does not fit in 64 bits of minor units.
    #[error("`{0}` is too large")]
    Range(String),
    /// Not a unit code.
    #[error("`{0}` is not a unit code: capital letters, digits and _, at most 16, as in CREDIT")]
    UnitCode(String),
}

impl Unit {
    /// Reads a decimal text such as `"2.50"` as minor units. The sign is kept.
    ///
    /// # Errors
    /// Not a number, more decimals than the scale, or out of the 64-bit range.
    pub fn parse(&self, text: &str) -> Result<Amount, AmountError> {
        let trimmed = text.trim();
        let plain = !trimmed.is_empty()
            && trimmed.len() <= 40
            && trimmed
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'.' || b == b'-' || b == b'+');
        let decimal = plain
            .then(|| Decimal::from_str_exact(trimmed).ok())
            .flatten()
            .ok_or_else(|| AmountError::NotANumber(text.to_owned()))?;
        self.amount(decimal)
    }

    /// A decimal number of units as an amount.
    ///
    /// # Errors
    /// As [`Unit::parse`].
    pub fn amount(&self, decimal: Decimal) -> Result<Amount, AmountError> {
        let range = || AmountError::Range(decimal.to_string());
        let factor = Decimal::from(10_u64.pow(self.scale.min(SCALE_MAX)));
        let scaled = decimal.checked_mul(factor).ok_or_else(range)?;
        if !scaled.fract().is_zero() {
            return Err(AmountError::Precision {
                text: decimal.to_string(),
                unit: self.code.clone(),
                scale: self.scale,
            });
        }
        let minor = scaled.to_i64().ok_or_else(range)?;
        Ok(Amount {
            minor,
            unit: self.code.clone(),
        })
    }

    /// Minor units as a decimal number of units, without trailing zeros: 250 at scale 2 is `2.5`.
    pub fn decimal(&self, minor: i64) -> Decimal {
        Decimal::try_from_i128_with_scale(i128::from(minor), self.scale.min(SCALE_MAX))
            .unwrap_or_default()
            .normalize()
    }

    /// Minor units as text, as [`Unit::decimal`].
    pub fn format(&self, minor: i64) -> String {
        self.decimal(minor).to_string()
    }
}

/// An exact number of minor units of one unit. Different units cannot be added by accident because
/// there is no addition: the ledger works on accounts, which have one unit each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Minor units; may be negative in an entry, never in a charge.
    pub minor: i64,
    /// Which unit.
    pub unit: UnitCode,
}

/// `percent` of `minor`, rounded half to even once; what rounding takes stays with the house.
pub fn percent_of(minor: i64, percent: u8) -> i64 {
    let product = i128::from(minor) * i128::from(percent.min(100));
    let (whole, rest) = (product.div_euclid(100), product.rem_euclid(100));
    let up = rest > 50 || (rest == 50 && whole % 2 != 0);
    i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credit(scale: u32) -> Unit {
        Unit {
            code: UnitCode::try_from("CREDIT").unwrap(),
            scale,
        }
    }

    #[test]
    fn too_many_decimals_are_refused_not_rounded() {
        assert_eq!(
            credit(2).parse("1.005").unwrap_err().to_string(),
            "`1.005` has more decimals than CREDIT allows: at most 2"
        );
        assert_eq!(credit(2).parse("1.100").unwrap().minor, 110);
    }

    #[test]
    fn odd_texts_are_not_amounts() {
        for text in ["", " ", "abc", "1e3", "1,5", "NaN", "0x10", "--1", "1_000"] {
            assert!(
                matches!(credit(2).parse(text), Err(AmountError::NotANumber(_))),
                "{text}"
            );
        }
        assert!(matches!(
            credit(9).parse("99999999999999999999"),
            Err(AmountError::Range(_))
        ));
    }

    #[test]
    fn half_goes_to_even() {
        assert_eq!(percent_of(5, 50), 2);
        assert_eq!(percent_of(7, 50), 4);
        assert_eq!(percent_of(250, 33), 82);
        assert_eq!(percent_of(i64::MAX, 100), i64::MAX);
    }

    proptest! {
        #[test]
        fn text_and_minor_units_agree(minor in any::<i64>(), scale in 0_u32..=9) {
            let unit = credit(scale);
            prop_assert_eq!(unit.parse(&unit.format(minor)).unwrap().minor, minor);
        }
    }
}
