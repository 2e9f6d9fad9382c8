//! Whether the event types that policies are for are there. Only providers know that, so it is not part of
//! loading.

use std::collections::BTreeMap;

use super::PolicySet;
use super::codes::Code;
use super::compiled::{Matching, Mode, Policy};
use super::diagnostic::Diagnostic;
use super::text::{nearest, quote};

/// What each source's provider has, by number and slug; `None` where that cannot be known.
pub type EventTypes = BTreeMap<String, Option<Vec<(i64, String)>>>;

impl PolicySet {
    /// The event types that policies are for and that none of their sources has. What cannot be known is not
    /// reported.
    pub fn unknown_event_types(&self, known: &EventTypes) -> Vec<Diagnostic> {
        let used = self.policies().filter(|policy| policy.mode != Mode::Off);
        used.flat_map(|policy| unknown(policy, known)).collect()
    }
}

fn unknown(policy: &Policy, known: &EventTypes) -> Vec<Diagnostic> {
    let matching = &policy.matching;
    let Some((there, at)) = all_of(matching, known).zip(matching.event_types_at.clone()) else {
        return Vec::new();
    };
    let ids = matching.event_type_ids.iter();
    let ids = ids.filter(|id| there.iter().all(|(known, _)| known != *id));
    let slugs = matching.event_type_slugs.iter();
    let slugs = slugs.filter(|slug| there.iter().all(|(_, known)| known != *slug));
    let missing = |name: String, meant: Option<&str>| {
        let message = format!(
            "no source of `{}` has an event type {}",
            policy.id,
            quote(&name)
        );
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                "look at its address there; one of a team, or of somebody else, is not seen here"
                    .to_owned()
            }
        };
        let span = at.clone();
        Diagnostic::new(&policy.source, Code::UnknownEventType, span, message).help(help)
    };
    let names = || there.iter().map(|(_, slug)| slug.as_str());
    let ids = ids.map(|id| missing(id.to_string(), None));
    let slugs = slugs.map(|slug| missing(slug.clone(), nearest(slug, names())));
    ids.chain(slugs).collect()
}

/// Everything that the sources of a policy have; `None` if that is not known of one of them.
fn all_of<'k>(matching: &Matching, known: &'k EventTypes) -> Option<Vec<&'k (i64, String)>> {
    let meant = |source: &str| {
        let sources = &matching.sources;
        sources.is_empty() || sources.iter().any(|one| one == source)
    };
    let sources = known.iter().filter(|(source, _)| meant(source));
    let lists: Option<Vec<_>> = sources.map(|(_, list)| list.as_ref()).collect();
    let lists = lists.filter(|lists| !lists.is_empty())?;
    Some(lists.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policies;

    #[test]
    fn what_no_source_has_is_told_unless_one_cannot_be_asked() {
        let set = |matching: &str| {
            policies(&[&format!(
                "schema = 1\n[policy]\nid = \"a\"\n[match]\n{matching}\n[[criterion]]\nid = \"b\"\nkind = \"notice\"\nmin = \"1h\"\n"
            )])
        };
        let list = |all: &[(i64, &str)]| {
            let own = all.iter().map(|(id, slug)| (*id, (*slug).to_owned()));
            Some(own.collect::<Vec<_>>())
        };
        let mut known = EventTypes::from([
            ("front".to_owned(), list(&[(7, "intake")])),
            ("back".to_owned(), list(&[(8, "chat")])),
        ]);
        let told = |matching: &str, known: &EventTypes| {
            let found = set(matching).unknown_event_types(known);
            let messages = found.into_iter().map(|one| one.message);
            messages.collect::<Vec<_>>()
        };
        assert_eq!(told("event_types = [7, \"chat\"]", &known), [""; 0]);
        let front = "sources = [\"front\"]\nevent_types = [7, 8, \"intale\"]";
        assert_eq!(
            told(front, &known),
            [
                "no source of `a` has an event type `8`",
                "no source of `a` has an event type `intale`"
            ]
        );
        assert_eq!(told("metadata = { a = \"b\" }", &known), [""; 0]);
        known.insert("back".to_owned(), None);
        assert_eq!(told("event_types = [9]", &known), [""; 0]);
        assert_eq!(told(front, &known).len(), 2);
    }
}
