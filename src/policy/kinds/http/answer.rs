//! What an answer says.

use serde_json::Value;

use crate::domain::callout::Reply;
use crate::policy::criterion::Finding;
use crate::policy::text::{MESSAGE_CHARS_MAX, clean, shown};
use crate::policy::truth::Truth;

/// The most facts that are kept of an answer.
const FACTS_MAX: usize = 16;
/// The longest name of one, in characters.
const FACT_NAME_CHARS_MAX: usize = 64;

/// The answer of the contract: `{"result": "pass" | "fail" | "unknown", "reason": "…", "facts": {…}}`.
pub(super) fn by_contract(reply: &Reply) -> Finding {
    if !(200..300).contains(&reply.status) {
        return Finding::error(format!("the server answered with HTTP {}", reply.status));
    }
    let result = reply.json.as_ref().and_then(|json| json.get("result"));
    let truth = match result.and_then(Value::as_str) {
        Some("pass") => Truth::Pass,
        Some("fail") => Truth::Fail,
        Some("unknown") => Truth::Unknown,
        _ => {
            let why = "the answer has no `result` that is \"pass\", \"fail\" or \"unknown\"";
            return Finding::error(why);
        }
    };
    let finding = Finding {
        truth,
        ..Finding::of(false)
    };
    let facts = reply.json.as_ref().and_then(|json| json.get("facts"));
    let facts = facts.and_then(Value::as_object);
    let texts = facts.into_iter().flatten().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => shown(text),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((clean(name, FACT_NAME_CHARS_MAX), text))
    });
    let finding = texts
        .take(FACTS_MAX)
        .fold(finding, |finding, (name, text)| {
            finding.with(format!("response.facts.{name}"), text)
        });
    told(finding, reply)
}

/// Whether a server has answered what it was asked. Where it says that it could not, or that it does not
/// know us, no expression is to take that for a no.
pub(super) fn can_be_judged(reply: &Reply) -> Result<(), String> {
    match reply.status {
        401 | 408 | 429 => Err(format!("the server answered with HTTP {}", reply.status)),
        200..300 | 400..500 => Ok(()),
        status => Err(format!("the server answered with HTTP {status}")),
    }
}

/// Adds what messages may say of an answer.
pub(super) fn told(finding: Finding, reply: &Reply) -> Finding {
    let finding = finding.with("response.status", i64::from(reply.status));
    let reason = reply.json.as_ref().and_then(|json| json.get("reason"));
    let reason = reason
        .and_then(Value::as_str)
        .map(|text| clean(text, MESSAGE_CHARS_MAX));
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => finding.with("response.reason", reason),
        None => finding,
    }
}
