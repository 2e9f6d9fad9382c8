//! What a criterion is: the two traits a new kind implements, and what they are given. A kind is one
//! file in `kinds/` and one line in its registry.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;

use super::borrowed::Borrowed;
use super::compiled::Matching;
use super::facts::{Facts, Need, Stage};
use super::keys::Key;
use super::lists::Shelf;
use super::measured::{Measure, Values};
use super::reader::Table;
use super::truth::Truth;
use super::vault::Vault;
use super::words::Language;
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::callout::Question;

/// A kind of criterion, such as `notice`: how it is written in a policy file.
pub trait CriterionKind: Sync {
    /// The name that stands behind `kind =`.
    fn name(&self) -> &'static str;

    /// The facts its messages may use. A finding that fails without an error has measured all of
    /// them that its parameters speak of.
    fn placeholders(&self) -> &'static [&'static str];

    /// What the booker is told where the author wrote no `message`. Reveals no list.
    fn default_message(&self) -> &'static str;

    /// An example of its own keys, in TOML, for the reference and for error messages.
    fn example(&self) -> &'static str;

    /// Its own keys, for editors: exactly those that [`CriterionKind::parse`] reads.
    fn keys(&self) -> &'static [Key];

    /// What it counts as where it cannot be answered and the author wrote no `on_error`.
    fn on_error(&self) -> Truth {
        Truth::Unknown
    }

    /// Reads its own keys. Mistakes are reported to the table; `None` if there were any that leave
    /// nothing to evaluate.
    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>>;
}

/// One criterion of a policy, compiled: everything that can be prepared is.
pub trait Criterion: Send + Sync + fmt::Debug {
    /// When it can be answered: that of the dearest facts that it may ask for.
    fn stage(&self) -> Stage {
        Stage::Pure
    }

    /// Whether it counts other bookings, or uses of a code: then each decision has to be seen by the next.
    fn counts(&self) -> bool {
        false
    }

    /// The codes that the booking uses up, if it is met and the booking may stand.
    fn uses_codes(&self, _facts: &Facts) -> Vec<String> {
        Vec::new()
    }

    /// The facts it cannot do without for this booking; none if the booking itself says it. Days and
    /// months are those of `zone`.
    fn needs(&self, _facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        Vec::new()
    }

    /// Whether it looks at the price of the policy's `[credits]`, which has to be known before.
    fn looks_at_price(&self) -> bool {
        false
    }

    /// The group of another policy that it stands for, if it does.
    fn borrows(&self) -> Option<&Borrowed> {
        None
    }

    /// The same, to be joined.
    fn borrowed(&mut self) -> Option<&mut Borrowed> {
        None
    }

    /// Whether there are bookings that meet it and bookings that do not; else only a person can tell, and
    /// no test shows either.
    fn is_answered(&self) -> bool {
        true
    }

    /// Whether it is met by every booking, so that it asks for nothing.
    fn is_always_met(&self) -> bool {
        false
    }

    /// What it asks another server about this booking, where [`Criterion::needs`] names a callout. What it
    /// puts into the question is there.
    fn call(&self, _facts: &Facts, _zone: &TimeZone) -> Option<Call> {
        None
    }

    /// Answers. Called only when all needs are there. Never panics, whatever strangers wrote.
    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding;
}

/// A question to another server, and what may be remembered of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The question. Its key is the same for the same question about the same booking.
    pub question: Question,
    /// Whether an answer serves other bookings, too.
    pub cache: Option<Cache>,
}

/// For which bookings, and for how long, an answer serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// A digest, the same for all bookings that an answer serves.
    pub key: String,
    /// How long, in ms.
    pub ttl_ms: i64,
    /// Whether only an answer that meets the criterion is kept.
    pub only_pass: bool,
}

/// What a kind may look up while it is read.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The units the settings define.
    pub units: &'a BTreeMap<UnitCode, Unit>,
    /// The unit of the policy's `[credits]`.
    pub unit: Option<&'a Unit>,
    /// Whether the policy's `[credits]` name a price.
    pub priced: bool,
    /// The policy's time zone.
    pub zone: &'a TimeZone,
    /// What its texts are written in, where they do not say.
    pub language: Language,
    /// The lists of the policy.
    pub lists: &'a Shelf<'a>,
    /// The secrets that it names.
    pub vault: &'a Vault<'a>,
    /// The hosts that the settings let policies ask; `None` if they are not known here.
    pub hosts: Option<&'a [String]>,
    /// The policy's id.
    pub policy: &'a str,
    /// Which bookings the policy is for.
    pub matching: &'a Matching,
}

/// What the policy knows that its criteria share.
#[derive(Debug)]
pub struct PolicyContext<'a> {
    /// What this booking costs by the policy's `[credits]`, in minor units of its unit; 0 where the
    /// price is waived.
    pub cost: Option<i64>,
    /// The policy's time zone.
    pub zone: &'a TimeZone,
}

/// The answer of one criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Met, not met, or not to be answered.
    pub truth: Truth,
    /// What was measured.
    pub facts: Values,
    /// Why it could not be answered. The criterion's `on_error` then has the word.
    pub error: Option<String>,
}

impl Finding {
    /// Met or not.
    pub fn of(met: bool) -> Self {
        Self {
            truth: Truth::of(met),
            facts: Values::default(),
            error: None,
        }
    }

    /// Could not be answered.
    pub fn error(why: impl Into<String>) -> Self {
        Self {
            truth: Truth::Unknown,
            facts: Values::default(),
            error: Some(why.into()),
        }
    }

    /// Adds what was measured.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Measure>) -> Self {
        self.facts.insert(name, value);
        self
    }
}
