//! `attendees`: how many people come, and from where. The booker is one of them; guests without an
//! e-mail address are not known to bookgate.

use crate::domain::owner::Owner;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::lists::Listing;
use crate::policy::reader::Table;

/// The largest number that may be asked for.
const COUNT_MAX: i64 = 10_000;

pub(super) struct Kind;

#[derive(Debug)]
struct Attendees {
    min: Option<i64>,
    max: Option<i64>,
    domains: Option<Listing>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "attendees"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["count", "min", "max", "domain"]
    }

    fn default_message(&self) -> &'static str {
        "This cannot be booked for {count} with these addresses."
    }

    fn example(&self) -> &'static str {
        "min = 1\nmax = 4\ndomains = [\"example.org\", \"*.example.org\"]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "min",
                Shape::Whole(1, COUNT_MAX),
                "The fewest people, the booker included",
            ),
            Key::new(
                "max",
                Shape::Whole(1, COUNT_MAX),
                "The most people, the booker included",
            ),
            Key::new(
                "domains",
                Shape::List,
                "Everybody's address is at one of these",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let min = table.integer("min", 1..=COUNT_MAX);
        let max = table.integer("max", 1..=COUNT_MAX);
        let domains = scope.lists.some_domains(table, "domains");
        table.ordered(min.as_ref(), max.as_ref());
        let help = "add `min`, `max` or `domains`, such as `max = 4`";
        table.refuse_nothing(&["min", "max", "domains"], help);
        Some(Box::new(Attendees {
            min: min.map(|at| at.value),
            max: max.map(|at| at.value),
            domains: domains.map(|at| at.value),
        }))
    }
}

impl Criterion for Attendees {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let details = &facts.details;
        let count = i64::try_from(details.guests.len()).map_or(i64::MAX, |guests| guests + 1);
        let fits =
            self.min.is_none_or(|min| count >= min) && self.max.is_none_or(|max| count <= max);
        let (mut met, mut domain) = (fits, None);
        if let Some(list) = &self.domains {
            let Some(booker) = &details.booker.email else {
                return Finding::error("the booking names no e-mail address");
            };
            let list = list.of(facts);
            let mut domains = std::iter::once(booker)
                .chain(&details.guests)
                .map(Owner::domain);
            let stranger = domains.find(|domain| !list.domains.contains(domain));
            met &= stranger.is_none();
            domain = Some(stranger.unwrap_or(booker.domain()));
        }
        let mut finding = Finding::of(met).with("count", count);
        for (name, bound) in [("min", self.min), ("max", self.max)] {
            if let Some(bound) = bound {
                finding = finding.with(name, bound);
            }
        }
        match domain {
            Some(domain) => finding.with("domain", domain),
            None => finding,
        }
    }
}
