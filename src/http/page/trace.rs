//! How a decision came about, in sentences: what was asked, what was found, and whether that was enough.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use super::parts::stranger;
use crate::domain::decision::Outcome;
use crate::gate::DecisionView;

/// One criterion, as the stored trace has it.
#[derive(Debug, Deserialize)]
struct Asked {
    policy: String,
    id: String,
    kind: String,
    result: String,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    error: Option<String>,
    #[serde(default)]
    shadow: bool,
    decided: bool,
}

/// The criteria of a decision. Nothing where no policy was asked.
pub(super) fn trace(decision: &DecisionView) -> Markup {
    let asked: Vec<Asked> = serde_json::from_str(decision.trace.get()).unwrap_or_default();
    html! {
        @if !asked.is_empty() {
            ol.trace {
                @for one in &asked { (criterion(one, decision.outcome)) }
            }
        }
    }
}

fn criterion(asked: &Asked, outcome: Outcome) -> Markup {
    // What is left to a person is so for want of an answer, or for reasons that the note has.
    let rests = asked.decided && (outcome != Outcome::Defer || asked.result == "unknown");
    let (class, word) = match (asked.result.as_str(), asked.kind.as_str()) {
        ("pass", _) => ("good", "met"),
        ("fail", _) => ("bad", "not met"),
        ("unknown", "manual") => ("open", "for a person"),
        ("unknown", _) => ("open", "could not be checked"),
        _ => ("over", "not needed"),
    };
    html! {
        li {
            p {
                span.badge.(class) { (word) } " "
                strong { (question(&asked.kind)) }
                @if asked.shadow { " (only watched: it changes nothing)" }
            }
            p {
                @match (&asked.error, asked.result.as_str()) {
                    (Some(why), _) => { "It could not be answered: " (stranger(why)) "." },
                    (None, "not_evaluated") => { "The answer was clear without it." },
                    (None, "skipped") => { "It was not asked of this booking." },
                    (None, _) => { (found(asked)) },
                }
                @if rests { " " strong.rests { "The decision rests on this." } }
            }
            p.fine { "Criterion " (stranger(&asked.id)) " of the policy " (stranger(&asked.policy)) }
        }
    }
}

/// What a kind of criterion asks.
pub(super) fn question(kind: &str) -> String {
    let text = match kind {
        "account" => "Does the booker have an account in good standing?",
        "allow-list" => "Is the booker on the list of those who may book?",
        "answer" => "Was the booking form answered as it should be?",
        "attendees" => "Do as many people come as may, from where they may?",
        "capacity" => "Is there a place left?",
        "concurrent" => "Has the booker few enough appointments ahead?",
        "credit" => "Is there enough credit?",
        "deny-list" => "Is the booker on none of the lists of those who may not book?",
        "duplicate" => "Has the booker no such appointment already?",
        "duration-quota" => "Has the booker time left to book in this period?",
        "email-domain" => "Does the booker's address belong to an accepted domain?",
        "expr" => "Does what the policy's expression asks for hold?",
        "history" => "Did the booker keep earlier appointments?",
        "http" => "Has the server that is asked nothing against it?",
        "invite-code" => "Did the booker write down a code that may still be used?",
        "length" => "Is the length of the appointment right?",
        "location" => "Is it at a place where this may take place?",
        "manual" => "What does a person say?",
        "metadata" => "Was it booked with settings that are accepted?",
        "min-gap" => "Is there enough time before and after it?",
        "notice" => "Was it booked the right time ahead?",
        "quota" => "Has the booker bookings left in this period?",
        "reputation" => "Was the booker not refused again and again lately?",
        "risk" => "Is it free of the signs of bookings that nobody means?",
        "routing" => "Is it with one of the right hosts?",
        "sample" => "Is it one of those that were drawn by lot?",
        "tag" => "Does the booker have the right mark?",
        "use" => "Does it meet what another policy asks?",
        "verified-email" => "Has somebody made sure that the address is the booker's?",
        "window" => "Does it lie within the days and hours that are open?",
        other => return format!("Is “{other}” met?"),
    };
    text.to_owned()
}

/// What was found, as far as the trace tells it.
fn found(asked: &Asked) -> Markup {
    let met = asked.result == "pass";
    let fact = |name: &str| asked.facts.get(name).map(String::as_str);
    let text = match asked.kind.as_str() {
        "account" => match fact("status") {
            Some("none") => Some("The booker has no account.".to_owned()),
            Some(status) => Some(match fact("since") {
                Some(since) => format!("The account is {status}, and was opened on {since}."),
                None => format!("The account is {status}."),
            }),
            None => None,
        },
        "allow-list" => Some(listed(met)),
        "deny-list" => Some(listed(!met)),
        "answer" => fact("field").map(|field| {
            let chars = fact("chars").unwrap_or("0");
            let bounds = bounds(fact("min_chars"), fact("max_chars"), " characters");
            match chars {
                "0" => format!("“{field}” was left empty{bounds}."),
                chars => format!("The answer to “{field}” has {chars} characters{bounds}."),
            }
        }),
        "credit" => fact("cost")
            .zip(fact("available"))
            .map(|(cost, available)| {
                let missing = fact("missing").filter(|missing| !met && *missing != "0");
                let missing =
                    missing.map_or_else(String::new, |missing| format!("; {missing} were missing"));
                format!("The booking costs {cost}. The booker had {available} to spend{missing}.")
            }),
        "email-domain" => fact("domain").map(|domain| format!("The address is at {domain}.")),
        "length" => fact("length").map(|length| {
            let bounds = bounds(fact("min"), fact("max"), "");
            let any_of =
                fact("any_of").map_or_else(String::new, |any_of| format!("; allowed: {any_of}"));
            format!("It lasts {length}{bounds}{any_of}.")
        }),
        "manual" => Some("The policy leaves this to a person.".to_owned()),
        "notice" => fact("notice").map(|notice| {
            let bounds = bounds(fact("min"), fact("max"), "");
            format!("It was booked {notice} ahead{bounds}.")
        }),
        "window" => fact("start")
            .zip(fact("window"))
            .map(|(start, window)| format!("It begins on {start} (local time). Open: {window}.")),
        _ => None,
    };
    match text {
        Some(text) => stranger(&text),
        None => all_facts(&asked.facts),
    }
}

fn listed(on_it: bool) -> String {
    match on_it {
        true => "The booker is on the list.".to_owned(),
        false => "The booker is not on the list.".to_owned(),
    }
}

fn bounds(min: Option<&str>, max: Option<&str>, of: &str) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("; between {min} and {max}{of} are asked for"),
        (Some(min), None) => format!("; at least {min}{of} are asked for"),
        (None, Some(max)) => format!("; at most {max}{of} are allowed"),
        (None, None) => String::new(),
    }
}

/// Of kinds that are not known here: everything that was measured.
fn all_facts(facts: &BTreeMap<String, String>) -> Markup {
    html! {
        @if facts.is_empty() { "Nothing more was noted." }
        @for (name, value) in facts { (stranger(name)) ": " (stranger(value)) ". " }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn told(kind: &str, result: &str, facts: &serde_json::Value) -> String {
        let asked = json!({
            "policy": "p", "id": "c", "kind": kind, "result": result, "facts": facts, "decided": false
        });
        let asked: Asked = serde_json::from_value(asked).unwrap();
        let text = found(&asked).into_string();
        format!(
            "{} {}\n",
            question(kind),
            text.replace("<bdi>", "").replace("</bdi>", "")
        )
    }

    #[test]
    fn every_kind_has_a_question_of_its_own() {
        let kinds = "account allow-list answer attendees capacity concurrent credit deny-list duplicate \
                     duration-quota email-domain expr history http invite-code length location manual metadata \
                     min-gap notice quota reputation risk routing sample tag use verified-email window";
        for kind in kinds.split_whitespace() {
            assert!(!question(kind).contains('“'), "{kind}");
        }
    }

    #[test]
    fn a_person_who_writes_no_programs_understands_it() {
        let facts = [
            ("account", "fail", json!({"status": "none"})),
            (
                "account",
                "pass",
                json!({"status": "open", "since": "2026-01-02"}),
            ),
            ("allow-list", "fail", json!({})),
            ("deny-list", "pass", json!({})),
            ("answer", "fail", json!({"field": "Topic", "chars": "0"})),
            (
                "answer",
                "pass",
                json!({"field": "Topic", "chars": "12", "max_chars": "200"}),
            ),
            (
                "credit",
                "fail",
                json!({"cost": "2", "available": "1.5", "missing": "0.5", "held": "0"}),
            ),
            (
                "credit",
                "pass",
                json!({"cost": "2", "available": "5", "missing": "0"}),
            ),
            ("email-domain", "fail", json!({"domain": "example.org"})),
            (
                "length",
                "pass",
                json!({"length": "30 min", "any_of": "30m, 60m"}),
            ),
            ("manual", "unknown", json!({})),
            ("notice", "fail", json!({"notice": "3 hours", "min": "24h"})),
            (
                "window",
                "fail",
                json!({"start": "Sun 2027-03-07 10:00", "window": "Mon-Fri 09:00-17:00"}),
            ),
            ("moon", "fail", json!({"phase": "full"})),
        ];
        let all: String = facts
            .iter()
            .map(|(kind, result, facts)| told(kind, result, facts))
            .collect();
        expect![[r#"
            Does the booker have an account in good standing? The booker has no account.
            Does the booker have an account in good standing? The account is open, and was opened on 2026-01-02.
            Is the booker on the list of those who may book? The booker is not on the list.
            Is the booker on none of the lists of those who may not book? The booker is not on the list.
            Was the booking form answered as it should be? “Topic” was left empty.
            Was the booking form answered as it should be? The answer to “Topic” has 12 characters; at most 200 characters are allowed.
            Is there enough credit? The booking costs 2. The booker had 1.5 to spend; 0.5 were missing.
            Is there enough credit? The booking costs 2. The booker had 5 to spend.
            Does the booker's address belong to an accepted domain? The address is at example.org.
            Is the length of the appointment right? It lasts 30 min; allowed: 30m, 60m.
            What does a person say? The policy leaves this to a person.
            Was it booked the right time ahead? It was booked 3 hours ahead; at least 24h are asked for.
            Does it lie within the days and hours that are open? It begins on Sun 2027-03-07 10:00 (local time). Open: Mon-Fri 09:00-17:00.
            Is “moon” met? phase: full. 
        "#]].assert_eq(&all);
    }
}
