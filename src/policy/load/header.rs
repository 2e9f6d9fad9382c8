//! `[policy]` and `[match]`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::super::codes::Code;
use super::super::compiled::{Matching, Mode, Role, Show};
use super::super::messages::language;
use super::super::reader::{At, Table, Value};
use super::super::text::{ID_BYTES_MAX, is_id, quote};
use super::super::words::Language;
use crate::domain::decision::Outcome;

/// The largest priority, and the smallest with a minus.
const PRIORITY_MAX: i64 = 1_000_000;

/// What `[policy]` says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) id: At<String>,
    pub(super) title: String,
    pub(super) owner: Option<String>,
    pub(super) description: Option<String>,
    pub(super) role: Role,
    pub(super) mode: Mode,
    pub(super) zone: TimeZone,
    pub(super) on_unknown: Outcome,
    pub(super) priority: i64,
    pub(super) show: Show,
    pub(super) language: Language,
    pub(super) shadow_since: Option<At<Date>>,
    pub(super) shadow_of: Option<At<String>>,
}

/// Reads `[policy]`; `None` without an id.
pub(super) fn read(table: &Table<'_>) -> Option<Header> {
    let id = table.required("id", read_id);
    let title = table.text("title").map(|at| at.value.to_owned());
    let owner = table.text("owner").map(|at| at.value.to_owned());
    let description = table.text("description").map(|at| at.value.to_owned());
    let role = table.choice(
        "kind",
        &[("deciding", Role::Deciding), ("guardrail", Role::Guardrail)],
    );
    let modes = [
        ("enforce", Mode::Enforce),
        ("shadow", Mode::Shadow),
        ("off", Mode::Off),
    ];
    let mode = table.choice("mode", &modes);
    let zone = table.zone("timezone");
    let on_unknown = table.choice(
        "on_unknown",
        &[("defer", Outcome::Defer), ("reject", Outcome::Reject)],
    );
    let priority = table.integer("priority", -PRIORITY_MAX..=PRIORITY_MAX);
    let show = table.choice("show", &[("first", Show::First), ("all", Show::All)]);
    let language = read_language(table);
    let shadow_since = table.date("shadow_since");
    let shadow_of = read_id(table, "shadow_of");
    let id = id?;
    Some(Header {
        title: title.unwrap_or_else(|| id.value.clone()),
        id,
        owner,
        description,
        role: role.map_or(Role::Deciding, |at| at.value),
        mode: mode.map_or(Mode::Enforce, |at| at.value),
        zone: zone.unwrap_or(TimeZone::UTC),
        on_unknown: on_unknown.map_or(Outcome::Defer, |at| at.value),
        priority: priority.map_or(0, |at| at.value),
        show: show.map_or(Show::First, |at| at.value),
        language: language.unwrap_or_default(),
        shadow_since,
        shadow_of,
    })
}

/// The language of the texts that do not name their own.
fn read_language(table: &Table<'_>) -> Option<Language> {
    let written = table.text("language")?;
    let tag = language(written.value);
    if tag.is_none() {
        let message = format!("{} is not a language", quote(written.value));
        let help = "a tag such as `de` or `pt-BR`";
        table.report(Code::NotALanguage, written.span, message, help);
    }
    tag.as_deref().map(Language::of)
}

/// An id of a policy or a criterion.
pub(super) fn read_id(table: &Table<'_>, key: &'static str) -> Option<At<String>> {
    checked_id(table, table.text(key)?)
}

/// Several ids, such as tags.
pub(in super::super) fn read_ids(table: &Table<'_>, key: &'static str) -> Option<Vec<String>> {
    let texts = table.texts(key)?.value.into_iter();
    let ids = texts.filter_map(|text| Some(checked_id(table, text)?.value));
    Some(ids.collect())
}

/// Checks an id of the author's choosing.
pub(super) fn checked_id(table: &Table<'_>, text: At<&str>) -> Option<At<String>> {
    if !is_id(text.value) {
        let message = format!("{} is not an id", quote(text.value));
        let help = format!(
            "lower-case letters, digits and hyphens, at most {ID_BYTES_MAX}, such as \"has-credit\""
        );
        table.report(Code::NotAnId, text.span, message, help);
        return None;
    }
    Some(At {
        value: text.value.to_owned(),
        span: text.span,
    })
}

/// Reads `[match]`.
pub(super) fn read_match(table: &Table<'_>) -> Matching {
    let mut matching = Matching::default();
    if let Some(sources) = table.texts("sources") {
        matching.sources = sources.value.iter().map(|at| at.value.to_owned()).collect();
    }
    if let Some((ids, slugs)) = event_types(table) {
        (matching.event_type_ids, matching.event_type_slugs) = (ids, slugs);
        matching.event_types_at = table.value("event_types").map(|value| value.span());
    }
    for key in ["sources", "event_types"] {
        table.refuse_empty(key, "no booking would match");
    }
    table.table("metadata", |metadata| {
        for (key, value) in metadata.entries() {
            if let Some(text) = metadata.text_of(key.value, value) {
                matching
                    .metadata
                    .push((key.value.to_owned(), text.value.to_owned()));
            }
        }
    });
    matching
}

fn event_types(table: &Table<'_>) -> Option<(Vec<i64>, Vec<String>)> {
    let (mut ids, mut slugs) = (Vec::new(), Vec::new());
    table.list("event_types", |table, item| {
        match event_type(table, item)? {
            EventType::Id(id) => ids.push(id),
            EventType::Slug(slug) => slugs.push(slug),
        }
        Some(())
    })?;
    Some((ids, slugs))
}

/// The event types that a criterion counts, by id and by slug: none of either means all there are, which
/// is written `"all"`. `None` if the key is left out.
pub(in super::super) fn counted_event_types(table: &Table<'_>) -> Option<(Vec<i64>, Vec<String>)> {
    let value = table.value("event_types")?;
    if matches!(value.get_ref(), DeValue::String(word) if word == "all") {
        return Some((Vec::new(), Vec::new()));
    }
    table.refuse_empty("event_types", "nothing would count");
    event_types(table)
}

/// An event type as a policy names it.
#[derive(Debug)]
pub(super) enum EventType {
    /// The provider's numeric id.
    Id(i64),
    /// The last part of its booking page's address.
    Slug(String),
}

/// A number or a text that names an event type.
pub(super) fn event_type(table: &Table<'_>, value: Value<'_>) -> Option<EventType> {
    match value.get_ref() {
        DeValue::Integer(integer) => {
            let id = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
            if id.is_none() {
                table.report(
                    Code::OutOfRange,
                    value.span(),
                    "this id is too large",
                    "an event type's number, such as 7",
                );
            }
            id.map(EventType::Id)
        }
        DeValue::String(slug) => Some(EventType::Slug(slug.clone().into_owned())),
        _ => table.wrong_type(
            "event type",
            value,
            "a number (its id) or a text (its slug)",
        ),
    }
}
