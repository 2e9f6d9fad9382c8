//! `[credits]`: price, refunds, holds.

use std::collections::BTreeMap;

use super::super::codes::Code;
use super::super::compiled::{Cost, Credits, Role};
use super::super::reader::{At, Table};
use super::super::text::{nearest, quote, quote_all};
use super::super::words::Language;
use super::messages::{Offered, read_messages};
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::decision::RefundLine;

/// The most refund lines.
const REFUND_LINES_MAX: usize = 50;
/// The unit that is meant where none is named.
const DEFAULT_UNIT: &str = "CREDIT";

/// Reads `[credits]` and the name behind `waive_if`; `None` if the unit is not known.
pub(super) fn read<'a>(
    table: &Table<'a>,
    units: &BTreeMap<UnitCode, Unit>,
    role: Role,
    language: Language,
) -> Option<(Credits, Option<At<&'a str>>)> {
    if role == Role::Guardrail {
        let help = "move `[credits]` to the policy that decides these bookings";
        table.report(
            Code::GuardrailPrice,
            table.span(),
            "a guardrail has no price",
            help,
        );
    }
    let unit = match table.contains("unit") {
        true => read_unit(table, units),
        false => default_unit(table, units),
    };
    let percent = |table: &Table<'_>| {
        let percent = table.required("percent", |table, key| table.integer(key, 0..=100));
        percent.and_then(|at| u8::try_from(at.value).ok())
    };
    let cost = table.table("cost", |cost| read_cost(cost, unit)).flatten();
    let refund = read_refund(table, percent);
    let organizer_percent = table.table("organizer_cancel", percent).flatten();
    let no_show_percent = table.table("no_show", percent).flatten();
    read_reschedule(table);
    let hold_expiry = table.duration("hold_expiry");
    let waive_if = table.text("waive_if");
    let offered = Offered {
        facts: &["cost"],
        language,
    };
    let message = read_messages(table, "message", offered);
    let credits = Credits {
        unit: unit?.clone(),
        cost,
        refund,
        organizer_percent: organizer_percent.unwrap_or(100),
        no_show_percent: no_show_percent.unwrap_or(0),
        hold_expiry_ms: hold_expiry.map(|at| at.value.ms),
        message,
    };
    Some((credits, waive_if))
}

/// Reads `unit`; reports one that the settings do not define.
pub(in super::super) fn read_unit<'u>(
    table: &Table<'_>,
    units: &'u BTreeMap<UnitCode, Unit>,
) -> Option<&'u Unit> {
    let code = table.text("unit")?;
    let unit = UnitCode::try_from(code.value)
        .ok()
        .and_then(|code| units.get(&code));
    if unit.is_none() {
        let names = || units.keys().map(UnitCode::as_str);
        let message = format!("there is no unit {}", quote(code.value));
        let help = format!("the settings define {}", quote_all(names()));
        let mut diagnostic = table
            .sink()
            .at(Code::UnknownUnit, code.span.clone(), message)
            .help(help);
        if let Some(meant) = nearest(code.value, names()) {
            let text = format!("did you mean `{meant}`?");
            diagnostic = diagnostic.suggest(code.span, text, format!("\"{meant}\""));
        }
        table.sink().add(diagnostic);
    }
    unit
}

fn default_unit<'u>(table: &Table<'_>, units: &'u BTreeMap<UnitCode, Unit>) -> Option<&'u Unit> {
    let unit = UnitCode::try_from(DEFAULT_UNIT)
        .ok()
        .and_then(|code| units.get(&code));
    if unit.is_none() {
        let help = format!(
            "add `unit`; the settings define {}",
            quote_all(units.keys().map(UnitCode::as_str))
        );
        table.report(
            Code::MissingKey,
            table.span(),
            "`[credits]` needs `unit`",
            help,
        );
    }
    table.value("unit");
    unit
}

fn read_cost(table: &Table<'_>, unit: Option<&Unit>) -> Option<Cost> {
    let amount = |key| {
        let amount = unit.and_then(|unit| table.amount(key, unit));
        table.value(key);
        amount.map_or(0, |at| at.value)
    };
    let cost = Cost {
        base: amount("base"),
        per_extra_guest: amount("per_extra_guest"),
        per_hour: amount("per_hour"),
    };
    if !["base", "per_extra_guest", "per_hour"]
        .iter()
        .any(|key| table.contains(key))
    {
        let help = "such as `cost = { base = \"2\" }`; \"0\" if the booking is free";
        table.report(
            Code::MissingKey,
            table.span(),
            "`cost` needs `base`, `per_extra_guest` or `per_hour`",
            help,
        );
        return None;
    }
    Some(cost)
}

fn read_refund(table: &Table<'_>, percent: impl Fn(&Table<'_>) -> Option<u8>) -> Vec<RefundLine> {
    let mut lines: Vec<RefundLine> = Vec::new();
    let mut count = 0;
    table.tables("refund", |line| {
        count += 1;
        let notice = line.required("notice", Table::duration);
        let percent = percent(line);
        let (Some(notice), Some(percent)) = (notice, percent) else {
            return;
        };
        if lines
            .last()
            .is_some_and(|last| last.notice_ms <= notice.value.ms)
        {
            let help = "the first line whose notice is met wins: put the longest notice first";
            line.report(
                Code::UnreachableRefund,
                line.span(),
                "this line is never reached",
                help,
            );
        }
        lines.push(RefundLine {
            notice_ms: notice.value.ms,
            percent,
        });
    });
    if count > REFUND_LINES_MAX {
        let message = format!("`refund` has {count} lines");
        table.report(
            Code::TooMany,
            table.span(),
            message,
            format!("at most {REFUND_LINES_MAX}"),
        );
    }
    lines
}

fn read_reschedule(table: &Table<'_>) {
    let choice = table.choice("reschedule", &[("carry", true), ("rehold", false)]);
    if let Some(at) = choice.filter(|at| !at.value) {
        let help = "`carry` takes the hold along to the new time";
        table.report(Code::NotYet, at.span, "`rehold` is not available yet", help);
    }
}
