//! `location`: where the appointment takes place, as far as the provider says. Providers name a place
//! by its kind (`inPerson`), by their own app (`integrations:zoom`), by address or by link, and not
//! always the same one; each of a booking's names is tried.

use crate::domain::booking::Answer;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::{At, Table};
use crate::policy::text::shown;

use super::wording::fold;

/// The question of the booking form that asks for the place.
const FIELD: &str = "location";
/// What messages say where the provider names no place.
const NOWHERE: &str = "none";

pub(super) struct Kind;

#[derive(Debug)]
struct Location {
    one_of: Option<Vec<Place>>,
    deny: Vec<Place>,
}

/// A place as the author writes it, folded: the parts between its stars.
#[derive(Debug)]
struct Place(Vec<String>);

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "location"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["location"]
    }

    fn default_message(&self) -> &'static str {
        "This cannot be booked at the place you chose."
    }

    fn example(&self) -> &'static str {
        "one_of = [\"inPerson\", \"integrations:*\", \"https://*.zoom.us/*\"]\ndeny = [\"phone\"]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "one_of",
                Shape::Many(&Shape::Text),
                "Only these places; * stands for anything",
            ),
            Key::new(
                "deny",
                Shape::Many(&Shape::Text),
                "Not these places; * stands for anything",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let (one_of, deny) = (table.texts("one_of"), table.texts("deny"));
        table.refuse_empty("one_of", "no place would do");
        let help = "add `one_of`, `deny` or both, such as `one_of = [\"inPerson\"]`";
        table.refuse_nothing(&["one_of", "deny"], help);
        let places = |at: At<Vec<At<&str>>>| -> Vec<Place> {
            at.value.iter().map(|text| Place::new(text.value)).collect()
        };
        Some(Box::new(Location {
            one_of: one_of.map(places),
            deny: deny.map_or(Vec::new(), places),
        }))
    }
}

impl Place {
    fn new(text: &str) -> Self {
        Self(fold(text).split('*').map(str::to_owned).collect())
    }

    /// Whether the parts stand in a text in this order, the first at its beginning and the last at
    /// its end. The leftmost place of each part leaves the most room for the next.
    fn is(&self, text: &str) -> bool {
        let [first, between @ .., last] = &self.0[..] else {
            return self.0.first().is_some_and(|whole| text == whole);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in between {
            let Some((_, after)) = rest.split_once(part.as_str()) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

impl Criterion for Location {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let details = &facts.details;
        let answered: &[String] = match details.answers.get(FIELD) {
            Some(Answer::Text(text)) => std::slice::from_ref(text),
            Some(Answer::Many(texts)) => texts,
            None => &[],
        };
        let names = details.location.iter().chain(answered);
        let names: Vec<String> = names
            .map(|name| fold(name))
            .filter(|name| !name.is_empty())
            .collect();
        let is_one = |places: &[Place]| {
            places
                .iter()
                .any(|place| names.iter().any(|name| place.is(name)))
        };
        let met = self.one_of.as_deref().is_none_or(is_one) && !is_one(&self.deny);
        let told = details
            .location
            .as_deref()
            .or(answered.first().map(String::as_str));
        Finding::of(met).with("location", shown(told.unwrap_or(NOWHERE)))
    }
}
