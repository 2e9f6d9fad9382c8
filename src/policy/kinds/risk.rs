//! `risk`: signs of a booking that nobody means seriously. Each is asked for by its own key, and the
//! message can tell which was seen.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::RegexSet;

use crate::domain::booking::{Answer, Details};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::lists::Listing;
use crate::policy::reader::Table;

/// The largest number of links that may be allowed.
const LINKS_MAX: i64 = 1_000;
/// Scripts whose letters pass for one another.
const ALIKE: [&str; 3] = [r"\p{Latin}", r"\p{Cyrillic}", r"\p{Greek}"];
/// As [`ALIKE`]. Compiled once: tables of letters are large.
static SCRIPTS: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(ALIKE).expect("the three patterns are fixed"));
/// Questions whose answers are not prose.
const NO_PROSE: [&str; 3] = ["email", "guests", "location"];
/// What `{signal}` says where there is none.
const NO_SIGNAL: &str = "none";

pub(super) struct Kind;

#[derive(Debug)]
struct Risk {
    disposable: Option<Listing>,
    links_max: Option<usize>,
    /// Whether a word in several scripts is a sign.
    mixed: bool,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "risk"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["signal"]
    }

    fn default_message(&self) -> &'static str {
        "We cannot accept this booking."
    }

    fn example(&self) -> &'static str {
        "disposable = [\"throwaway.example\"]\nlinks_max = 1\nmixed_scripts = \"deny\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "disposable",
                Shape::List,
                "Domains whose addresses are thrown away",
            ),
            Key::new(
                "links_max",
                Shape::Whole(0, LINKS_MAX),
                "The most links in what the booker wrote",
            ),
            Key::new(
                "mixed_scripts",
                Shape::Word(&["allow", "deny"]),
                "Whether a name may mix letters that look alike",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let disposable = scope.lists.list(table, "disposable");
        let links_max = table.integer("links_max", 0..=LINKS_MAX);
        let mixed = table.choice("mixed_scripts", &[("allow", false), ("deny", true)]);
        let mixed = mixed.is_some_and(|at| at.value);
        if !mixed {
            let help = "add `disposable`, `links_max` or `mixed_scripts = \"deny\"`";
            table.refuse_nothing(&["disposable", "links_max"], help);
        }
        Some(Box::new(Risk {
            disposable: disposable.map(|at| at.value),
            links_max: links_max.and_then(|at| usize::try_from(at.value).ok()),
            mixed,
        }))
    }
}

/// The texts that a booker wrote: name, notes and answers, each once.
fn prose(details: &Details) -> BTreeSet<&str> {
    let answers = details
        .answers
        .iter()
        .filter(|(field, _)| !NO_PROSE.contains(&field.as_str()));
    let answers = answers.flat_map(|(_, answer)| match answer {
        Answer::Text(text) => std::slice::from_ref(text),
        Answer::Many(texts) => texts,
    });
    let own = [&details.booker.name].into_iter().chain(&details.notes);
    own.chain(answers).map(String::as_str).collect()
}

/// How often a text names an address of the web: by `://`, or by `www.` without it.
fn links(text: &str) -> usize {
    let text = text.to_lowercase();
    let bare = text.match_indices("www.").filter(|(at, _)| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|letter| !letter.is_alphanumeric() && letter != '/')
    });
    text.matches("://").count() + bare.count()
}

/// Whether a single word is written in several scripts that look alike. Names in two scripts side by
/// side are common and meant.
fn mixes(name: &str) -> bool {
    let mut words = name.split(|letter: char| !letter.is_alphabetic());
    words.any(|word| SCRIPTS.matches(word).iter().count() > 1)
}

impl Criterion for Risk {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let details = &facts.details;
        let mut signals = Vec::new();
        if let Some(list) = &self.disposable {
            let Some(email) = &details.booker.email else {
                return Finding::error("the booking names no e-mail address");
            };
            if list.of(facts).domains.contains(email.domain()) {
                signals.push("disposable address");
            }
        }
        if let Some(max) = self.links_max
            && prose(details).into_iter().map(links).sum::<usize>() > max
        {
            signals.push("links");
        }
        if self.mixed && mixes(&details.booker.name) {
            signals.push("mixed scripts");
        }
        let signal = match signals.is_empty() {
            true => NO_SIGNAL.to_owned(),
            false => signals.join(", "),
        };
        Finding::of(signals.is_empty()).with("signal", signal)
    }
}
