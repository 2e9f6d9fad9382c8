//! `sample`: some of all bookings, by chance, but always the same ones. For trying a rule on a few.

use sha2::{Digest, Sha256};

use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::Table;

/// Names what is hashed, so that a later change of it cannot be mistaken for chance.
const FORM: &str = "bookgate sample 1";

pub(super) struct Kind;

#[derive(Debug)]
struct Sample {
    percent: u64,
    salt: Box<str>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &[]
    }

    fn default_message(&self) -> &'static str {
        "We cannot accept this booking."
    }

    fn example(&self) -> &'static str {
        "percent = 10\nsalt = \"spring trial\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "percent",
                Shape::Whole(0, 100),
                "How many of a hundred bookings",
            )
            .required(),
            Key::new("salt", Shape::Text, "Another one picks other bookings"),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let percent = table.required("percent", |table, key| table.integer(key, 0..=100));
        let salt = table.text("salt").map_or("", |at| at.value);
        Some(Box::new(Sample {
            percent: percent?.value.unsigned_abs(),
            salt: salt.into(),
        }))
    }
}

impl Criterion for Sample {
    /// Hashed are the form, the salt, the source and the uid of the booking that the moves began
    /// with, each followed by a line feed; the first eight bytes, as a number, choose one of a
    /// hundred drawers. A greater percentage therefore takes in what a smaller one did.
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let uid = facts.origin.as_ref().unwrap_or(&facts.uid);
        let mut hasher = Sha256::new();
        for part in [FORM, &self.salt, facts.source.as_str(), uid.as_str()] {
            hasher.update(part);
            hasher.update("\n");
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let drawer = digest
            .iter()
            .take(8)
            .fold(0, |number: u64, byte| number << 8 | u64::from(*byte))
            % 100;
        Finding::of(drawer < self.percent)
    }
}
