//! The explanation as text: the booking, each policy and what it asked, and what would come of it.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cli::text::{field, or_dash, plain, second};
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::decision::Outcome;
use crate::gate::{Explained, PolicyAsked};
use crate::policy::facts::{AccountFacts, Loaded};
use crate::policy::{CriterionTrace, Policy, PolicySet, TraceResult};

/// Keys of a criterion in its file that are not what it asks.
const NOT_ASKED: [&str; 7] = [
    "id",
    "kind",
    "message",
    "mode",
    "note",
    "on_error",
    "on_error_message",
];

type Units = BTreeMap<UnitCode, Unit>;

/// What is explained, and where its parts come from.
pub(in crate::cli) struct Subject<'a> {
    /// What happened, and at which provider, if that is still known.
    pub(in crate::cli) happened: Option<String>,
    /// Where the time comes from that rules about time go by.
    pub(in crate::cli) time_from: &'a str,
    /// Where the account comes from.
    pub(in crate::cli) account_from: &'a str,
    /// All policies, and which of them have a word.
    pub(in crate::cli) asked: &'a [PolicyAsked],
    /// The policies themselves, if they are to be had.
    pub(in crate::cli) set: Option<&'a PolicySet>,
}

/// Writes it all.
pub(in crate::cli) fn print(
    subject: &Subject<'_>,
    explained: &Explained,
    units: &Units,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    booking(subject, explained, units, out)?;
    for asked in subject.asked {
        policy(asked, subject.set, explained, out)?;
    }
    if subject.set.is_some() && subject.asked.is_empty() {
        writeln!(out, "\nThere is no policy.")?;
    }
    outcome(explained, units, out)
}

fn booking(
    subject: &Subject<'_>,
    explained: &Explained,
    units: &Units,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let facts = &explained.facts;
    let details = &facts.details;
    writeln!(out, "{}", plain(&format!("{}/{}", facts.source, facts.uid)))?;
    if let Some(happened) = &subject.happened {
        field(out, 2, "happened", happened)?;
    }
    let slug = details.event_type_slug.iter();
    let mut names: Vec<_> = slug.chain(&details.event_type_aliases).cloned().collect();
    names.extend(details.event_type_id.map(|id| format!("number {id}")));
    field(
        out,
        2,
        "event type",
        &or_dash((!names.is_empty()).then(|| names.join(", "))),
    )?;
    field(out, 2, "booker", &or_dash(details.booker.email.as_ref()))?;
    let length = details.length_min();
    field(
        out,
        2,
        "start",
        &format!("{}, {length} minutes", second(details.start)),
    )?;
    field(
        out,
        2,
        "booked at",
        &format!("{} ({})", second(facts.now), subject.time_from),
    )?;
    let account = match &facts.account {
        Loaded::Not => "not looked at: no policy asks for it".to_owned(),
        Loaded::Known(None) => format!("none ({})", subject.account_from),
        Loaded::Known(Some(account)) => {
            format!("{} ({})", has(account, units), subject.account_from)
        }
        Loaded::Failed(why) => format!("not known: {why}"),
    };
    Ok(field(out, 2, "account", &account)?)
}

fn has(account: &AccountFacts, units: &Units) -> String {
    let text = |code: &UnitCode, minor: i64| {
        let unit = units.get(code);
        unit.map_or_else(|| minor.to_string(), |unit| unit.format(minor))
    };
    let lines = account.balances.iter().map(|(code, balance)| {
        let (free, held) = (text(code, balance.available), text(code, balance.held));
        format!("{free} {code} free, {held} held")
    });
    let lines: Vec<_> = lines.collect();
    let balances = match lines.is_empty() {
        true => "nothing on it".to_owned(),
        false => lines.join("; "),
    };
    format!("{}, {balances}", account.status.as_str())
}

fn policy(
    asked: &PolicyAsked,
    set: Option<&PolicySet>,
    explained: &Explained,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(
        out,
        "\n{}",
        plain(&format!("Policy {} ({})", asked.id, asked.title))
    )?;
    field(out, 2, "", &asked.why)?;
    if !asked.asked {
        return Ok(());
    }
    let criteria = explained.verdict.trace.criteria.iter();
    let mut mine = criteria.filter(|one| *one.policy == *asked.id).peekable();
    if mine.peek().is_none() {
        field(out, 2, "", "It asks nothing.")?;
    }
    let mut policies = set.into_iter().flat_map(PolicySet::policies);
    let policy = policies.find(|policy| *policy.id == *asked.id);
    for one in mine {
        criterion(one, policy, out)?;
    }
    Ok(())
}

fn criterion(
    one: &CriterionTrace,
    policy: Option<&Policy>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let result = match one.result {
        TraceResult::Pass => "passed",
        TraceResult::Fail => "NOT PASSED",
        TraceResult::Unknown if *one.kind == *"manual" => "FOR A PERSON",
        TraceResult::Unknown => "UNKNOWN",
        TraceResult::NotEvaluated => "not asked",
        TraceResult::Skipped => "skipped",
    };
    let title = match *one.id == *one.kind {
        true => one.id.to_string(),
        false => format!("{} ({})", one.id, one.kind),
    };
    let rests = match (one.decided, one.shadow) {
        (true, _) => " <- the outcome rests on this",
        (false, true) => " (shadow: only watched)",
        (false, false) => "",
    };
    field(out, 2, result, &format!("{title}{rests}"))?;
    if let Some(wanted) = policy.and_then(|policy| wanted(policy, &one.id)) {
        field(out, 16, "asks", &wanted)?;
    }
    if one.result == TraceResult::NotEvaluated {
        return Ok(field(
            out,
            16,
            "found",
            "nothing: it was settled without this",
        )?);
    }
    let facts = one.facts.iter();
    let found: Vec<_> = facts
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if one.result == TraceResult::Skipped {
        return Ok(field(out, 16, "found", "nothing: its `when` is not met")?);
    }
    let found = match &one.error {
        Some(error) => format!("it could not be answered: {error}"),
        None => found.join(", "),
    };
    if !found.is_empty() {
        field(out, 16, "found", &found)?;
    }
    Ok(())
}

/// What a criterion asks, in the words of its file.
fn wanted(policy: &Policy, id: &str) -> Option<String> {
    let file: toml::Table = policy.source.text.parse().ok()?;
    let criteria = file.get("criterion")?.as_array()?;
    let mut tables = criteria.iter().filter_map(toml::Value::as_table);
    let table = tables.find(|table| table.get("id").and_then(toml::Value::as_str) == Some(id))?;
    let keys = table
        .iter()
        .filter(|(key, _)| !NOT_ASKED.contains(&key.as_str()));
    let keys: Vec<_> = keys
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

fn outcome(explained: &Explained, units: &Units, out: &mut dyn Write) -> anyhow::Result<()> {
    let (word, meaning) = match explained.outcome {
        Outcome::Accept => ("ACCEPT", "the booking may stand"),
        Outcome::Reject => ("REJECT", "the booking is refused"),
        Outcome::Defer => ("DEFER", "a person decides"),
    };
    writeln!(out, "\n{word}: {meaning}")?;
    let verdict = &explained.verdict;
    let by = verdict.policy.as_ref().map(|policy| &policy.id);
    field(out, 2, "by", &or_dash(by))?;
    if !verdict.failed.is_empty() {
        field(out, 2, "because of", &verdict.failed.join(", "))?;
    }
    if let Some(message) = &explained.message {
        field(out, 2, "booker reads", &format!("\"{message}\""))?;
    }
    if let Some(note) = &explained.note {
        field(out, 2, "note", note)?;
    }
    let cost = verdict.terms.cost.as_ref().map(|cost| {
        let unit = units.get(&cost.unit);
        let amount = unit.map_or_else(|| cost.minor.to_string(), |unit| unit.format(cost.minor));
        format!("{amount} {}", cost.unit)
    });
    field(out, 2, "cost", cost.as_deref().unwrap_or("nothing"))?;
    Ok(())
}
