//! `verified-email`: somebody has seen to it that the booker's address is theirs. No provider tells that of its
//! own accord (contracts); whoever verifies, such as the installation's sign-in, puts the tag
//! [`VERIFIED`] to the address, and puts it anew each time.

use jiff::tz::TimeZone;

use crate::domain::clock::ms_between;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::duration::Duration;
use crate::policy::facts::{Facts, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;

/// The tag of addresses that were verified.
const VERIFIED: &str = "email-verified";

pub(super) struct Kind;

#[derive(Debug)]
struct VerifiedEmail {
    /// What was verified longer ago does not count.
    max_age: Option<Duration>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "verified-email"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["verified"]
    }

    fn default_message(&self) -> &'static str {
        "Please verify your e-mail address first."
    }

    fn example(&self) -> &'static str {
        "max_age = \"365d\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[Key::new(
            "max_age",
            Shape::Duration,
            "How long ago it may have been verified; any time if left out",
        )];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let max_age = table.duration("max_age").map(|at| at.value);
        Some(Box::new(VerifiedEmail { max_age }))
    }
}

impl Criterion for VerifiedEmail {
    fn stage(&self) -> Stage {
        Stage::LocalRead
    }

    fn needs(&self, _facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        vec![Need::Tags]
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let tags = match facts.tags() {
            Ok(tags) => tags,
            Err(why) => return Finding::error(why),
        };
        if !tags.contains(VERIFIED) {
            return Finding::of(false).with("verified", "never");
        }
        let since = facts.tagged_at.get(VERIFIED);
        let fresh = match (&self.max_age, since) {
            (None, _) => true,
            (Some(max_age), Some(since)) => ms_between(*since, facts.now) <= max_age.ms,
            (Some(_), None) => return Finding::error("it is not known when it was verified"),
        };
        let day = since.map(|since| context.zone.to_datetime(*since).date());
        let verified = day.map_or(Measure::from("once"), Measure::Day);
        Finding::of(fresh).with("verified", verified)
    }
}
