//! `manual`: nobody but a person can answer it. So it is always unknown, and the policy's
//! `on_unknown` has the word: `defer` leaves the booking pending.

use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::Key;
use crate::policy::measured::Values;
use crate::policy::reader::Table;
use crate::policy::truth::Truth;

pub(super) struct Kind;

#[derive(Debug)]
struct Manual;

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &[]
    }

    fn default_message(&self) -> &'static str {
        "This booking has to be looked at by a person."
    }

    fn example(&self) -> &'static str {
        ""
    }

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn parse(&self, _table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        Some(Box::new(Manual))
    }
}

impl Criterion for Manual {
    fn is_answered(&self) -> bool {
        false
    }

    fn evaluate(&self, _facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        Finding {
            truth: Truth::Unknown,
            facts: Values::default(),
            error: None,
        }
    }
}
