//! One policy, compiled: whom it is for, what it asks, what it costs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::criterion::Criterion;
use super::diagnostic::{SourceFile, Span};
use super::facts::{Facts, Stage};
use super::lists::ListFile;
use super::messages::Messages;
use super::reader::At;
use super::require::Node;
use super::template::Template;
use super::truth::Truth;
use crate::domain::amount::{Amount, Unit};
use crate::domain::booking::Details;
use crate::domain::decision::{Outcome, RefundLine, Terms};

/// SHA-256 of a policy's or a set's meaning: its parsed form and the lists it refers to, without
/// comments, tests and formatting. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyHash(pub [u8; 32]);

impl fmt::Display for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyHash({self})")
    }
}

impl From<PolicyHash> for String {
    fn from(hash: PolicyHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for PolicyHash {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash)?;
        Ok(Self(hash))
    }
}

/// What a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides the bookings it matches.
    Deciding,
    /// Can only refuse; every guardrail that matches is asked.
    Guardrail,
}

/// Whether a policy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It counts.
    Enforce,
    /// It is asked, and what it says is kept, but it does not count.
    Shadow,
    /// It is checked and tested, and otherwise ignored.
    Off,
}

/// How many reasons the booker is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Show {
    /// The first, in the order of `[require]`.
    First,
    /// Up to three.
    All,
}

/// One policy.
#[derive(Debug)]
pub struct Policy {
    /// Its id, unique in the set.
    pub id: Arc<str>,
    /// Its title for people.
    pub title: String,
    /// Whom to ask about it.
    pub owner: Option<String>,
    /// What it is there for, in the author's words.
    pub description: Option<String>,
    /// What it is for.
    pub role: Role,
    /// Whether it is used.
    pub mode: Mode,
    /// The zone of its windows and dates.
    pub zone: TimeZone,
    /// What becomes of a booking it cannot answer: `Defer` or `Reject`.
    pub on_unknown: Outcome,
    /// Among several that match, the highest decides.
    pub priority: i64,
    /// How many reasons the booker is given.
    pub show: Show,
    /// Since when it is only watched, if it says so.
    pub shadow_since: Option<At<Date>>,
    /// Whose place it would take, while it is only watched.
    pub shadow_of: Option<At<String>>,
    /// Which bookings it is for.
    pub matching: Matching,
    /// What they cost.
    pub credits: Option<Credits>,
    /// Where this is met, they cost nothing.
    pub waive_if: Option<Node>,
    /// Its criteria, in the order of the file.
    pub rules: Vec<Rule>,
    /// Which of them have to be met.
    pub require: Node,
    /// Its named conditions, without criteria in shadow: for itself, and for policies that use them.
    pub groups: BTreeMap<String, Node>,
    /// All criteria, each behind those that it rests on.
    pub order: Vec<usize>,
    /// How many tests it has, which it passes.
    pub tests: usize,
    /// Its meaning.
    pub hash: PolicyHash,
    /// The list files that it has read, by path as it is written.
    pub lists: BTreeMap<String, ListFile>,
    /// The file it was read from.
    pub source: Arc<SourceFile>,
    /// Where its id stands in the file.
    pub id_span: Span,
}

/// One criterion of a policy.
#[derive(Debug)]
pub struct Rule {
    /// Its id, unique in the file.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// What it checks.
    pub criterion: Box<dyn Criterion>,
    /// When it can be answered.
    pub stage: Stage,
    /// What the booker is told.
    pub message: Messages,
    /// What admins are told.
    pub note: Option<Template>,
    /// What the booker is told if it cannot be answered.
    pub on_error_message: Option<Messages>,
    /// What it counts as if it cannot be answered.
    pub on_error: Truth,
    /// Where this is not met, the criterion is skipped and counts as met.
    pub when: Option<Node>,
    /// Whether it is only watched: asked and shown, and left out of every condition.
    pub shadow: bool,
    /// Where it stands in the file.
    pub span: Span,
}

impl Rule {
    /// The criteria that have to be answered before this one is.
    pub fn rests_on(&self, waive_if: Option<&Node>) -> Vec<usize> {
        let price = waive_if.filter(|_| self.criterion.looks_at_price());
        let conditions = self.when.iter().chain(price);
        conditions.flat_map(Node::criteria).collect()
    }
}

/// Which bookings a policy is for. An empty condition is no condition; all that are there have to
/// be met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// Any of these sources.
    pub sources: Vec<String>,
    /// Any of these event types, by id.
    pub event_type_ids: Vec<i64>,
    /// Any of these event types, by slug or by whatever else the provider calls them.
    pub event_type_slugs: Vec<String>,
    /// All of these metadata.
    pub metadata: Vec<(String, String)>,
    /// Where the event types stand in the file.
    pub event_types_at: Option<Span>,
}

/// The first condition of a [`Matching`] that a booking does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Miss {
    /// It comes from another source.
    Source,
    /// It is of another event type.
    EventType,
    /// It has other metadata.
    Metadata,
}

/// How closely a policy describes its bookings: one that names event types is closer than one that
/// does not; then one that names sources; then the one with more metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    event_types: bool,
    sources: bool,
    metadata: usize,
}

impl Matching {
    /// Whether a booking is meant.
    pub fn covers(&self, facts: &Facts) -> bool {
        self.miss(facts).is_none()
    }

    /// Why a booking is not meant; `None` if it is.
    pub fn miss(&self, facts: &Facts) -> Option<Miss> {
        let details = &facts.details;
        let source = facts.source.as_str();
        if !self.sources.is_empty() && !self.sources.iter().any(|one| one == source) {
            return Some(Miss::Source);
        }
        if self.names_event_types() && !self.names_event_type_of(details) {
            return Some(Miss::EventType);
        }
        let mut metadata = self.metadata.iter();
        let met = metadata.all(|(key, value)| details.metadata.get(key) == Some(value));
        (!met).then_some(Miss::Metadata)
    }

    /// How closely it describes its bookings.
    pub fn specificity(&self) -> Specificity {
        Specificity {
            event_types: self.names_event_types(),
            sources: !self.sources.is_empty(),
            metadata: self.metadata.len(),
        }
    }

    /// Whether some booking is surely meant by both. An id on one side and a slug on the other may
    /// or may not be the same event type, which only a booking can tell.
    pub fn overlaps(&self, other: &Self) -> bool {
        let shares =
            |ours: &[String], theirs: &[String]| ours.iter().any(|one| theirs.contains(one));
        let sources = self.sources.is_empty()
            || other.sources.is_empty()
            || shares(&self.sources, &other.sources);
        let event_types = !self.names_event_types()
            || !other.names_event_types()
            || shares(&self.event_type_slugs, &other.event_type_slugs)
            || self
                .event_type_ids
                .iter()
                .any(|id| other.event_type_ids.contains(id));
        let contradicts = |(key, value): &(String, String)| {
            other.metadata.iter().any(|(k, v)| k == key && v != value)
        };
        sources && event_types && !self.metadata.iter().any(contradicts)
    }

    fn names_event_types(&self) -> bool {
        !self.event_type_ids.is_empty() || !self.event_type_slugs.is_empty()
    }

    fn names_event_type_of(&self, details: &Details) -> bool {
        let id = details
            .event_type_id
            .is_some_and(|id| self.event_type_ids.contains(&id));
        let slug = details.event_type_slug.iter();
        let mut names = slug.chain(&details.event_type_aliases);
        id || names.any(|name| self.event_type_slugs.contains(name))
    }
}

/// What bookings cost and what of it comes back. Amounts in minor units of `unit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credits {
    /// The unit of all amounts.
    pub unit: Unit,
    /// The price; `None` if the policy names none.
    pub cost: Option<Cost>,
    /// What the booker gets back, longest notice first.
    pub refund: Vec<RefundLine>,
    /// Percent that comes back when the host cancels.
    pub organizer_percent: u8,
    /// Percent that comes back when the booker did not come.
    pub no_show_percent: u8,
    /// How long a hold waits for an answer, in milliseconds.
    pub hold_expiry_ms: Option<i64>,
    /// What the booker is told whose credit does not suffice although every criterion is met.
    pub message: Option<Messages>,
}

/// A price list, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// For the booking.
    pub base: i64,
    /// For each guest beside the booker.
    pub per_extra_guest: i64,
    /// For each hour; parts of an hour in proportion, rounded up to the next minor unit.
    pub per_hour: i64,
}

impl Cost {
    /// The price of a booking; what does not fit in 64 bits is the largest there is, which nobody
    /// can pay.
    pub fn of(&self, details: &Details) -> i64 {
        const HOUR_MIN: i128 = 60;
        let guests = i128::try_from(details.guests.len()).unwrap_or(i128::MAX);
        let time = i128::from(self.per_hour) * i128::from(details.length_min());
        let time = (time + HOUR_MIN - 1) / HOUR_MIN;
        let guests = i128::from(self.per_extra_guest).saturating_mul(guests);
        let total = guests
            .saturating_add(time)
            .saturating_add(i128::from(self.base));
        i64::try_from(total).unwrap_or(i64::MAX)
    }
}

impl Policy {
    /// Where it stands among policies that match the same booking: the higher rank decides.
    pub fn rank(&self) -> (i64, Specificity) {
        (self.priority, self.matching.specificity())
    }

    /// Whether a criterion is ever asked: some condition names it, or it is watched.
    pub fn asks(&self, index: usize) -> bool {
        let whens = self.rules.iter().filter_map(|rule| rule.when.as_ref());
        let own = whens.chain(&self.waive_if).chain([&self.require]);
        let mut conditions = own.chain(self.groups.values());
        self.rules[index].shadow || conditions.any(|node| node.criteria().contains(&index))
    }

    /// The criteria that a condition rests on, those included that tell which of them apply.
    pub fn rules_of(&self, node: &Node) -> impl Iterator<Item = &Rule> {
        let mut wanted = vec![false; self.rules.len()];
        for index in node.criteria() {
            wanted[index] = true;
        }
        for index in self.order.iter().rev().copied() {
            if !wanted[index] {
                continue;
            }
            for before in self.rules[index].rests_on(self.waive_if.as_ref()) {
                wanted[before] = true;
            }
        }
        let rules = self.rules.iter().zip(wanted);
        rules.filter_map(|(rule, wanted)| wanted.then_some(rule))
    }

    /// What this booking costs, in minor units.
    pub fn cost(&self, details: &Details) -> Option<i64> {
        let cost = self.credits.as_ref()?.cost.as_ref()?;
        Some(cost.of(details))
    }

    /// What was agreed with the booker if the booking stands.
    pub fn terms(&self, details: &Details) -> Terms {
        let Some(credits) = &self.credits else {
            return Terms::free();
        };
        Terms {
            cost: self.cost(details).map(|minor| Amount {
                minor,
                unit: credits.unit.code.clone(),
            }),
            refund: credits.refund.clone(),
            organizer_percent: credits.organizer_percent,
            no_show_percent: credits.no_show_percent,
        }
    }
}
