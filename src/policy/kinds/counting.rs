//! What the kinds that count other bookings share: whose they count, and of which event types.

use std::fmt;

use jiff::tz::TimeZone;

use crate::domain::booking::Details;
use crate::domain::clock::Timestamp;
use crate::domain::others::{Measured, Of, OtherBooking, Wanted};
use crate::policy::compiled::Matching;
use crate::policy::criterion::{Criterion, Finding, PolicyContext, Scope};
use crate::policy::facts::{Facts, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::load::header::counted_event_types;
use crate::policy::reader::Table;

pub(super) const BY_KEY: Key = Key::new(
    "by",
    Shape::Word(&["booker", "domain", "event-type"]),
    "Whose bookings: the booker's, those of all at the booker's domain, or everybody's of this event type",
);
pub(super) const EVENT_TYPES_KEY: Key = Key::new(
    "event_types",
    Shape::Either(&[
        Shape::Word(&["all"]),
        Shape::Many(&Shape::Either(&[Shape::Whole(0, i64::MAX), Shape::Text])),
    ]),
    "Which count: \"all\", or these; those that the policy is for if left out",
);

/// Whose bookings are counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Booker,
    Domain,
    EventType,
}

impl By {
    /// Reads `by`; the booker's if it is left out.
    pub(super) fn read(table: &Table<'_>) -> Self {
        let words = [
            ("booker", Self::Booker),
            ("domain", Self::Domain),
            ("event-type", Self::EventType),
        ];
        table
            .choice("by", &words)
            .map_or(Self::Booker, |at| at.value)
    }

    fn of(self, details: &Details) -> Option<Of> {
        let booker = details.booker.email.as_ref();
        match self {
            Self::Booker => booker.map(|booker| Of::Booker(booker.clone())),
            Self::Domain => booker.map(|booker| Of::Domain(booker.domain().to_owned())),
            Self::EventType => details.event_type_name().map(Of::EventType),
        }
    }

    /// The bookings between two times; `None` if this one does not say whose.
    pub(super) fn wanted(
        self,
        details: &Details,
        measured: Measured,
        (from, until): (Timestamp, Timestamp),
    ) -> Option<Wanted> {
        self.of(details).map(|of| Wanted {
            of,
            measured,
            from,
            until,
        })
    }
}

/// Which event types are counted.
#[derive(Debug)]
pub(super) struct Counted(Matching);

impl Counted {
    /// Reads `event_types`; those that the policy is for if it is left out.
    pub(super) fn read(table: &Table<'_>, scope: &Scope<'_>) -> Self {
        let own = scope.matching;
        Self(match counted_event_types(table) {
            Some((event_type_ids, event_type_slugs)) => Matching {
                event_type_ids,
                event_type_slugs,
                ..Matching::default()
            },
            None => Matching {
                metadata: Vec::new(),
                ..own.clone()
            },
        })
    }

    /// Whether a booking counts.
    pub(super) fn has(&self, other: &OtherBooking) -> bool {
        let Matching {
            sources,
            event_type_ids: ids,
            event_type_slugs: slugs,
            ..
        } = &self.0;
        let source = sources.is_empty() || sources.iter().any(|one| one == other.source.as_str());
        let any = ids.is_empty() && slugs.is_empty();
        let id = other.event_type_id.is_some_and(|id| ids.contains(&id));
        let name = other.event_type.as_ref();
        source && (any || id || name.is_some_and(|name| slugs.contains(name)))
    }
}

/// A criterion that looks at other bookings, and at nothing else that has to be fetched.
pub(super) trait Counting: Send + Sync + fmt::Debug {
    /// What it says without a look, where it needs none.
    fn without_a_look(&self, _facts: &Facts, _zone: &TimeZone) -> Option<Finding> {
        None
    }

    /// Which bookings it looks at; `None` if this one does not say whose.
    fn wanted(&self, facts: &Facts, zone: &TimeZone) -> Option<Wanted>;

    /// What it says of them.
    fn judge(&self, others: &[OtherBooking], facts: &Facts, zone: &TimeZone) -> Finding;
}

/// Such a criterion as any other.
#[derive(Debug)]
pub(super) struct Looking<C>(pub(super) C);

impl<C: Counting> Criterion for Looking<C> {
    fn stage(&self) -> Stage {
        Stage::LocalRead
    }

    fn counts(&self) -> bool {
        true
    }

    fn needs(&self, facts: &Facts, zone: &TimeZone) -> Vec<Need> {
        if self.0.without_a_look(facts, zone).is_some() {
            return Vec::new();
        }
        let wanted = self.0.wanted(facts, zone);
        wanted.into_iter().map(Need::Others).collect()
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let zone = context.zone;
        if let Some(finding) = self.0.without_a_look(facts, zone) {
            return finding;
        }
        let Some(wanted) = self.0.wanted(facts, zone) else {
            return Finding::error("the booking does not say whose bookings to count");
        };
        match facts.others(&wanted) {
            Ok(others) => self.0.judge(others, facts, zone),
            Err(why) => Finding::error(why),
        }
    }
}
