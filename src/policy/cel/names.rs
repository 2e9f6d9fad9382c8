//! What expressions may look at. Every name is always there: what the provider does not tell is an
//! empty text, an empty list or 0.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::amount::UnitCode;
use crate::domain::booking::Answer;
use crate::domain::callout::Reply;
use crate::domain::clock::Timestamp;
use crate::policy::criterion::PolicyContext;
use crate::policy::facts::{AccountFacts, Balance, Facts, Loaded};

/// A name, and what it stands for.
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    read: for<'f> fn(&View<'f>) -> Result<Seen<'f>, String>,
}

/// What can be said of a value before there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text, a number, a moment, true or false.
    Single,
    /// A list of texts.
    Texts,
    /// Texts by keys of the author's or the booker's choosing.
    Map,
    /// Texts or lists of texts by such keys.
    MapOfTexts,
    /// Whole numbers of minor units, by unit.
    Amounts,
    /// Whatever another server answered.
    Json,
}

/// What names are read from.
pub(super) struct View<'f> {
    pub(super) facts: &'f Facts,
    pub(super) context: &'f PolicyContext<'f>,
    /// The units that there are; without an account there is 0 of each.
    pub(super) units: &'f [UnitCode],
    /// What another server answered, where the expression is about that.
    pub(super) reply: Option<&'f Reply>,
}

/// A value as it was found.
pub(super) enum Seen<'f> {
    Text(&'f str),
    Number(i64),
    Switch(bool),
    Moment(Timestamp),
    Texts(Vec<&'f str>),
    Map(&'f BTreeMap<String, String>),
    MapOfTexts(&'f BTreeMap<String, Answer>),
    Amounts(Vec<(&'f str, i64)>),
    Json(&'f Value),
}

/// A body that is no JSON.
static NOTHING: Value = Value::Null;

impl Name {
    /// The name that `written` begins with, and the parts behind it. `of_reply`, here and below: whether there
    /// is an answer to look at.
    pub(super) fn find<'w>(
        written: &'w [&'w str],
        of_reply: bool,
    ) -> Option<(&'static Self, &'w [&'w str])> {
        names(of_reply).find_map(|name| {
            let parts = name.name.split('.').count();
            let own = written.get(..parts)?.iter().copied();
            own.eq(name.name.split('.'))
                .then(|| (name, &written[parts..]))
        })
    }

    /// Whether names begin with this one, such as `booking`.
    pub(super) fn is_group(written: &str, of_reply: bool) -> bool {
        let mut groups = names(of_reply).filter_map(|name| name.name.split_once('.'));
        groups.any(|(group, _)| group == written)
    }

    /// All names, or those of a group.
    pub(super) fn all(group: Option<&str>, of_reply: bool) -> impl Iterator<Item = &'static str> {
        let names = names(of_reply).map(|name| name.name);
        names.filter(move |name| {
            group.is_none_or(|group| name.split('.').next() == Some(group) && name.contains('.'))
        })
    }

    /// Whether it is told by the booker's account.
    pub(super) fn is_of_account(&self) -> bool {
        self.name.starts_with("account.")
    }

    /// Whether it is the price.
    pub(super) fn is_price(&self) -> bool {
        self.name == "cost"
    }

    /// Whether strangers choose what is in it, and of what type.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.shape, Shape::Map | Shape::MapOfTexts | Shape::Json)
    }

    /// Its value; an error says why there is none.
    pub(super) fn read<'f>(&self, view: &View<'f>) -> Result<Seen<'f>, String> {
        (self.read)(view)
    }
}

impl<'f> View<'f> {
    fn account(&self) -> Result<Option<&'f AccountFacts>, String> {
        match &self.facts.account {
            Loaded::Known(account) => Ok(account.as_ref()),
            Loaded::Not => Err("the account was not loaded".to_owned()),
            Loaded::Failed(why) => Err(why.clone()),
        }
    }

    fn amounts(&self, amount: fn(&Balance) -> i64) -> Result<Seen<'f>, String> {
        let account = self.account()?;
        let units = self.units.iter().map(|unit| {
            let balance = account.and_then(|account| account.balances.get(unit));
            (unit.as_str(), balance.map_or(0, amount))
        });
        Ok(Seen::Amounts(units.collect()))
    }

    fn reply(&self) -> Result<&'f Reply, String> {
        self.reply.ok_or_else(|| "nobody has answered".to_owned())
    }
}

fn names(of_reply: bool) -> impl Iterator<Item = &'static Name> {
    let more = if of_reply { OF_REPLY } else { &[] };
    NAMES.iter().chain(more)
}

fn text(text: Option<&str>) -> Result<Seen<'_>, String> {
    Ok(Seen::Text(text.unwrap_or_default()))
}

const OF_REPLY: &[Name] = &[
    Name {
        name: "response.json",
        shape: Shape::Json,
        read: |view| Ok(Seen::Json(view.reply()?.json.as_ref().unwrap_or(&NOTHING))),
    },
    Name {
        name: "response.status",
        shape: Shape::Single,
        read: |view| Ok(Seen::Number(view.reply()?.status.into())),
    },
];

const NAMES: &[Name] = &[
    Name {
        name: "account.available",
        shape: Shape::Amounts,
        read: |view| view.amounts(|balance| balance.available),
    },
    Name {
        name: "account.exists",
        shape: Shape::Single,
        read: |view| Ok(Seen::Switch(view.account()?.is_some())),
    },
    Name {
        name: "account.held",
        shape: Shape::Amounts,
        read: |view| view.amounts(|balance| balance.held),
    },
    Name {
        name: "account.status",
        shape: Shape::Single,
        read: |view| text(view.account()?.map(|account| account.status.as_str())),
    },
    Name {
        name: "booker.domain",
        shape: Shape::Single,
        read: |view| {
            let email = view.facts.details.booker.email.as_ref();
            text(email.map(|email| email.domain()))
        },
    },
    Name {
        name: "booker.email",
        shape: Shape::Single,
        read: |view| {
            let email = view.facts.details.booker.email.as_ref();
            text(email.map(|email| email.as_str()))
        },
    },
    Name {
        name: "booker.language",
        shape: Shape::Single,
        read: |view| text(view.facts.details.booker.locale.as_deref()),
    },
    Name {
        name: "booker.name",
        shape: Shape::Single,
        read: |view| text(Some(&view.facts.details.booker.name)),
    },
    Name {
        name: "booker.phone",
        shape: Shape::Single,
        read: |view| {
            let phone = view.facts.details.booker.phone.as_ref();
            text(phone.map(|phone| phone.as_str()))
        },
    },
    Name {
        name: "booker.timezone",
        shape: Shape::Single,
        read: |view| text(view.facts.details.booker.time_zone.as_deref()),
    },
    Name {
        name: "booking.answers",
        shape: Shape::MapOfTexts,
        read: |view| Ok(Seen::MapOfTexts(&view.facts.details.answers)),
    },
    Name {
        name: "booking.end",
        shape: Shape::Single,
        read: |view| Ok(Seen::Moment(view.facts.details.end)),
    },
    Name {
        name: "booking.guests",
        shape: Shape::Texts,
        read: |view| {
            let guests = view.facts.details.guests.iter();
            Ok(Seen::Texts(guests.map(|guest| guest.as_str()).collect()))
        },
    },
    Name {
        name: "booking.length_minutes",
        shape: Shape::Single,
        read: |view| Ok(Seen::Number(view.facts.details.length_min())),
    },
    Name {
        name: "booking.location",
        shape: Shape::Single,
        read: |view| text(view.facts.details.location.as_deref()),
    },
    Name {
        name: "booking.metadata",
        shape: Shape::Map,
        read: |view| Ok(Seen::Map(&view.facts.details.metadata)),
    },
    Name {
        name: "booking.notes",
        shape: Shape::Single,
        read: |view| text(view.facts.details.notes.as_deref()),
    },
    Name {
        name: "booking.recurring",
        shape: Shape::Single,
        read: |view| Ok(Seen::Switch(view.facts.details.recurring)),
    },
    Name {
        name: "booking.seated",
        shape: Shape::Single,
        read: |view| Ok(Seen::Switch(view.facts.details.seated)),
    },
    Name {
        name: "booking.start",
        shape: Shape::Single,
        read: |view| Ok(Seen::Moment(view.facts.details.start)),
    },
    Name {
        name: "booking.title",
        shape: Shape::Single,
        read: |view| text(Some(&view.facts.details.title)),
    },
    Name {
        name: "booking.uid",
        shape: Shape::Single,
        read: |view| text(Some(view.facts.uid.as_str())),
    },
    Name {
        name: "cost",
        shape: Shape::Single,
        read: |view| {
            let cost = view.context.cost;
            cost.map(Seen::Number)
                .ok_or_else(|| "the booking has no price".to_owned())
        },
    },
    Name {
        name: "event_type.aliases",
        shape: Shape::Texts,
        read: |view| {
            let aliases = view.facts.details.event_type_aliases.iter();
            Ok(Seen::Texts(aliases.map(String::as_str).collect()))
        },
    },
    Name {
        name: "event_type.id",
        shape: Shape::Single,
        read: |view| {
            let id = view.facts.details.event_type_id;
            Ok(Seen::Number(id.unwrap_or_default()))
        },
    },
    Name {
        name: "event_type.slug",
        shape: Shape::Single,
        read: |view| text(view.facts.details.event_type_slug.as_deref()),
    },
    Name {
        name: "now",
        shape: Shape::Single,
        read: |view| Ok(Seen::Moment(view.facts.now)),
    },
    Name {
        name: "source",
        shape: Shape::Single,
        read: |view| text(Some(view.facts.source.as_str())),
    },
    Name {
        name: "timezone",
        shape: Shape::Single,
        read: |view| text(Some(view.context.zone.iana_name().unwrap_or("UTC"))),
    },
];
