//! One booking as text: where it stands, what was decided and why, what the provider was told, what
//! it cost, and the webhooks all this rests on.

use std::io::{self, Write};

use anyhow::Context as _;

use crate::cli::text::{field, or_dash, plain, second};
use crate::domain::chain::CommandState;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::gate::{BookingLine, BookingView, CommandView, DecisionView, FactView, HoldView};
use crate::policy::{CriterionTrace, Trace, TraceResult};
use crate::storage::records::DeliveryRow;

/// Writes everything that is known.
pub(super) fn print(view: &BookingView, out: &mut dyn Write) -> anyhow::Result<()> {
    booking(&view.line, out)?;
    let others = view.chain.iter().filter(|line| line.uid != view.line.uid);
    for (index, line) in others.enumerate() {
        let label = if index == 0 { "chain" } else { "" };
        let when = at(line.start);
        field(
            out,
            2,
            label,
            &format!("{}, {}, {when}", line.uid, line.status),
        )?;
    }
    for decision in &view.decisions {
        writeln!(out)?;
        print_decision(decision, true, out)?;
    }
    for hold in &view.holds {
        print_hold(hold, out)?;
    }
    for call in &view.calls {
        print_call(call, out)?;
    }
    heard(&view.heard, out)?;
    Ok(deliveries(&view.deliveries, out)?)
}

fn booking(line: &BookingLine, out: &mut dyn Write) -> io::Result<()> {
    let number = line.booking_id.map(|id| format!(" (number {id})"));
    let title = format!("{}/{}", line.source, line.uid);
    let number = number.unwrap_or_default();
    writeln!(out, "{}{number}", plain(&title))?;
    let open = if line.settled {
        ""
    } else {
        ", not settled yet"
    };
    field(out, 2, "status", &format!("{}{open}", line.status))?;
    let decision = line.outcome.map(Outcome::as_str);
    field(out, 2, "decision", &or_dash(decision))?;
    if let Some(seat) = &line.seat {
        field(out, 2, "seat", seat)?;
    }
    field(out, 2, "booker", &or_dash(line.booker.as_ref()))?;
    field(out, 2, "event type", &or_dash(line.event_type.as_ref()))?;
    field(out, 2, "start", &at(line.start))?;
    field(out, 2, "end", &at(line.end))
}

/// Writes a decision, and if wanted what each criterion said.
pub(super) fn print_decision(
    decision: &DecisionView,
    with_trace: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let by = match &decision.policy {
        Some(policy) => format!("{} `{policy}`", decision.decided_by),
        None => decision.decided_by.clone(),
    };
    let outcome = decision.outcome.as_str();
    let title = format!("decision {} on {}: {outcome}", decision.id, decision.unit);
    writeln!(out, "{}", plain(&title))?;
    field(out, 2, "at", &at(Some(decision.decided_at)))?;
    field(out, 2, "by", &by)?;
    if let (Some(cost), Some(unit)) = (&decision.cost, &decision.unit_of_cost) {
        field(out, 2, "cost", &format!("{cost} {unit}"))?;
    }
    let texts = [
        ("to the booker", &decision.message),
        ("note", &decision.note),
    ];
    for (label, text) in texts {
        if let Some(text) = text {
            field(out, 2, label, text)?;
        }
    }
    for shadow in &decision.shadows {
        let failed = shadow.failed.join(", ");
        let because = match failed.is_empty() {
            true => String::new(),
            false => format!(" because of {failed}"),
        };
        let text = format!("`{}`: {}{because}", shadow.policy, shadow.outcome.as_str());
        field(out, 2, "in shadow", &text)?;
    }
    if !with_trace {
        return Ok(());
    }
    let trace: Trace = serde_json::from_str(decision.trace.get())
        .with_context(|| format!("the trace of decision {} cannot be read", decision.id))?;
    for criterion in &trace.criteria {
        print_criterion(criterion, out)?;
    }
    Ok(())
}

/// What one criterion said: `pass`, which it is, what it measured. A star marks what the outcome
/// rests on.
fn print_criterion(criterion: &CriterionTrace, out: &mut dyn Write) -> io::Result<()> {
    let result = match criterion.result {
        TraceResult::Pass => "pass",
        TraceResult::Fail => "fail",
        TraceResult::Unknown if *criterion.kind == *"manual" => "for a person",
        TraceResult::Unknown => "unknown",
        TraceResult::NotEvaluated => "not asked",
        TraceResult::Skipped => "skipped",
    };
    let star = if criterion.decided { "*" } else { "" };
    let facts = criterion.facts.iter();
    let facts: Vec<_> = facts
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut text = format!("{}/{}", criterion.policy, criterion.id);
    if *criterion.id != *criterion.kind {
        text.push_str(&format!(" ({})", criterion.kind));
    }
    if criterion.shadow {
        text.push_str(" (shadow)");
    }
    if !facts.is_empty() {
        text.push_str(&format!(": {}", facts.join(", ")));
    }
    if let Some(error) = &criterion.error {
        text.push_str(&format!("; {error}"));
    }
    field(out, 2, &format!("{result}{star}"), &text)
}

fn print_hold(hold: &HoldView, out: &mut dyn Write) -> io::Result<()> {
    let state = serde_word(&hold.state);
    let title = format!("hold for {}: {state}", hold.unit);
    writeln!(out, "\n{}", plain(&title))?;
    field(out, 2, "account", &hold.owner.to_string())?;
    let parts = format!(
        "{}; captured {}, released {}, refunded {}",
        hold.amount, hold.captured, hold.released, hold.refunded
    );
    field(out, 2, "amount", &parts)
}

fn print_call(call: &CommandView, out: &mut dyn Write) -> io::Result<()> {
    let (action, state) = (call.action.as_str(), serde_word(&call.state));
    let title = format!("call {}: {action} {}: {state}", call.id, call.unit);
    writeln!(out, "\n{}", plain(&title))?;
    field(out, 2, "for", &serde_word(&call.purpose))?;
    for (label, text) in [("reason", &call.reason), ("note", &call.note)] {
        if let Some(text) = text {
            field(out, 2, label, text)?;
        }
    }
    if call.state == CommandState::Open {
        field(out, 2, "due", &at(Some(call.due_at)))?;
    }
    for attempt in &call.attempts {
        let result = attempt.result.as_ref();
        let mut text = result.map_or_else(|| "no answer yet".to_owned(), serde_word);
        let status = attempt.http_status.map(|status| format!("HTTP {status}"));
        let detail = attempt.detail.as_deref();
        // What is told of a failure mostly begins with it.
        let status = status.filter(|status| !detail.is_some_and(|it| it.starts_with(status)));
        if let Some(status) = status {
            text.push_str(&format!(", {status}"));
        }
        if let Some(detail) = detail {
            text.push_str(&format!(", {detail}"));
        }
        let text = format!("{} {text}", at(Some(attempt.started_at)));
        field(out, 2, &format!("attempt {}", attempt.number), &text)?;
    }
    Ok(())
}

/// What the provider told, by webhook or when it was read, and with which words.
fn heard(facts: &[FactView], out: &mut dyn Write) -> io::Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nheard")?;
    for fact in facts {
        let what = match (fact.kind, &fact.event) {
            ("event", Some(event)) => serde_word(event),
            ("missing", _) => "not to be found at the provider".to_owned(),
            ("closed", _) => "what was known is removed".to_owned(),
            (kind, _) => kind.to_owned(),
        };
        let mut text = format!("{}: {what}", fact.unit);
        if fact.taken_back {
            text.push_str(", taken back");
        }
        if let Some(status) = fact.status {
            text.push_str(&format!(", {status}"));
        }
        if let Some(by) = &fact.by {
            text.push_str(&format!(", by {}", serde_word(by)));
        }
        if let Some(reason) = &fact.reason {
            text.push_str(&format!(": {reason}"));
        }
        writeln!(out, "  {}  {}", at(Some(fact.at)), plain(&text))?;
    }
    Ok(())
}

fn deliveries(rows: &[DeliveryRow], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwebhooks (`bookgate deliveries show ID`)")?;
    for row in rows {
        let trigger = or_dash(row.trigger.as_ref());
        let note = row.note.as_ref().map(|note| format!(", {note}"));
        let state = row.state.as_str();
        let text = format!("{trigger} ({state}{})", note.unwrap_or_default());
        let when = at(Some(row.received_at));
        writeln!(out, "  {when}  {}: {}", row.id, plain(&text))?;
    }
    Ok(())
}

fn at(time: Option<Timestamp>) -> String {
    or_dash(time.map(second))
}

/// The word that stands for a value in JSON.
fn serde_word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
