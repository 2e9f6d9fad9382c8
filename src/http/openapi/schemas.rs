//! The shapes of answers and bodies, in a short notation. Strict: whatever is added to an answer has to be
//! added here, or the stories fail.
//!
//! A shape is a list of fields, each with its type: `text`, `whole`, `switch`, `time`, `amount`, `map` (of
//! texts), `any` (object), words parted by `|`, another shape, or a list of one in brackets. `?` behind a
//! type is: or null; `~` before a name is: may be missing.

use serde_json::{Map, Value, json};

/// Where a booking can stand.
pub(super) const STANDINGS: &[&str] = &[
    "pending_payment",
    "pending",
    "accepted",
    "rejected",
    "cancelled",
    "superseded",
    "unknown",
];
/// What can become of a delivery.
pub(super) const DELIVERY_STATES: &[&str] =
    &["event", "ignored", "unparsed", "quarantined", "waiting"];
/// What a provider can be asked.
pub(super) const ACTIONS: &[&str] = &["confirm", "decline", "cancel"];
/// What can be decided.
pub(super) const OUTCOMES: &[&str] = &["accept", "reject", "defer"];

const WORDS: &[(&str, &[&str])] = &[
    ("Standing", STANDINGS),
    ("DeliveryState", DELIVERY_STATES),
    ("Action", ACTIONS),
    ("Outcome", OUTCOMES),
];

const BOOKING_LINE: &str = "source text, uid text, seat text?, booking_id whole?, status Standing,
    outcome Outcome?, settled switch, booker text?, event_type text?, start time?, end time?,
    updated_at time";
const DECISION: &str = "id whole, unit text, round whole, outcome Outcome, decided_by text,
    policy text?, policy_hash text?, message text?, note text?, cost amount?, unit_of_cost text?,
    decided_at time, engine text, trace [Criterion], facts any, shadows [ShadowVerdict]";
const DELIVERY: &str =
    "id whole, source text, received_at time, state DeliveryState, trigger text?,
    note text?, filed_at time?, replayed_at time?, body_bytes whole?";

const SHAPES: &[(&str, &[&str])] = &[
    (
        "Account",
        &["owner text, status open|frozen|closed, balances [Balance]"],
    ),
    ("Tags", &["owner text, tags [text], added_at map"]),
    ("TagsChange", &["add [text]?, remove [text]?"]),
    (
        "Balance",
        &["unit text, posted amount, held amount, available amount"],
    ),
    (
        "Entry",
        &[
            "txn whole, kind text, layer posted|held, amount amount, unit text,
        posted_after amount, held_after amount, actor text, reason text?, booking text?,
        recorded_at time",
        ],
    ),
    ("BookingLine", &[BOOKING_LINE]),
    (
        "Booking",
        &[
            BOOKING_LINE,
            "chain [BookingLine], decisions [Decision], calls [Call],
        holds [Hold], entries [Entry], heard [Heard], deliveries [Delivery]",
        ],
    ),
    (
        "Heard",
        &[
            "at time, unit text, kind event|reading|missing|closed, event text?,
        taken_back switch, status text?, by booker|host?, reason text?",
        ],
    ),
    ("Decision", &[DECISION]),
    (
        "Explanation",
        &[BOOKING_LINE, "decisions [DecisionExplained]"],
    ),
    (
        "DecisionExplained",
        &[
            DECISION,
            "set_hash text?, policies [PolicyAsked], remade Remade",
        ],
    ),
    (
        "ShadowVerdict",
        &[
            "policy text, policy_hash text, outcome Outcome, failed [text], message text?,
        note text?, cost amount?, unit_of_cost text?, trace [Criterion]",
        ],
    ),
    (
        "PolicyAsked",
        &["id text, title text, asked switch, why text"],
    ),
    (
        "Remade",
        &["result same|differs|impossible|not_by_policy, engine text, why [text]"],
    ),
    (
        "DecisionLine",
        &[
            "id whole, source text, booking text, start time, round whole,
        outcome Outcome, decided_by text, policy text?, message text?, note text?, cost amount?,
        unit_of_cost text?, decided_at time",
        ],
    ),
    (
        "Criterion",
        &[
            "policy text, id text, kind text, stage pure|local_read|external|reserve,
        result pass|fail|unknown|not_evaluated|skipped, ~facts map, ~error text,
        ~shadow switch, decided switch",
        ],
    ),
    (
        "Call",
        &[
            "id whole, unit text, action Action, purpose decision|compensation,
        state open|done|obsolete|dead, reason text?, note text?, due_at time, attempts [Attempt]",
        ],
    ),
    (
        "Attempt",
        &["number whole, started_at time, answered_at time?,
        result ok|settled|not_needed|limited|transient|rejected|unknown?, http_status whole?,
        detail text?"],
    ),
    (
        "Hold",
        &[
            "unit text, owner text, amount amount, captured amount, released amount,
        refunded amount, state held|captured|released|carried",
        ],
    ),
    ("Delivery", &[DELIVERY]),
    ("DeliveryWithBody", &[DELIVERY, "body text?"]),
    (
        "ReplayReport",
        &["dry_run switch, done [ReplayLine], left [ReplayLine], next text?"],
    ),
    (
        "ReplayLine",
        &["id whole, source text, state DeliveryState, trigger text?, ~why text"],
    ),
    (
        "DeadLetter",
        &[
            "id whole, source text, booking text, action Action, note text?, tries whole,
        created_at time, given_up_at time?, start time?, holds_credit switch, reason text?,
        last_attempt Attempt?",
        ],
    ),
    (
        "LettersReport",
        &["dry_run switch, done [LetterLine], left [LetterLine], more switch"],
    ),
    (
        "LetterLine",
        &["id whole, booking text, action Action, ~why text"],
    ),
    (
        "Change",
        &[
            "id whole, at time, actor text, action text, target text, detail text?,
        request_id text?",
        ],
    ),
    (
        "Policies",
        &[
            "hash text, loaded_at time, loaded_from folder|last_good, last_attempt PolicyAttempt,
        policies [Policy]",
        ],
    ),
    (
        "PolicyAttempt",
        &["at time, result ok|refused, diagnostics [Diagnostic], report text?"],
    ),
    (
        "Diagnostic",
        &[
            "code text, severity error|warning|note, file text, line whole, column whole,
        end_line whole, end_column whole, message text, help text?, suggestion Suggestion?,
        related [RelatedPlace]",
        ],
    ),
    ("Suggestion", &["text text, span Bytes, replacement text"]),
    ("Bytes", &["start whole, end whole"]),
    (
        "RelatedPlace",
        &["message text, file text, line whole, column whole"],
    ),
    (
        "Policy",
        &[
            "id text, title text, description text?, owner text?, role deciding|guardrail,
        mode enforce|shadow|off, priority whole, file text, hash text, sources [text],
        event_types [text], metadata [text], price text?, time_zone text?,
        criteria [PolicyCriterion]",
        ],
    ),
    ("PolicyCriterion", &["id text, kind text"]),
    (
        "Source",
        &[
            "name text, verified switch, looks_again_at time?, last_delivery Delivery?, last_call SourceCall?,
        surveyed_at time?, failing_since time?",
        ],
    ),
    (
        "SourceCall",
        &["started_at time, answered_at time?,
        result ok|settled|not_needed|limited|transient|rejected|unknown?, http_status whole?"],
    ),
    (
        "Instance",
        &["id text, host text, version text, started_at time, seen_at time, alive switch"],
    ),
    (
        "Job",
        &["name text, due_at time, running_on text?, ended_at time?, report any?"],
    ),
    ("LedgerReport", &["ok switch, violations [Violation]"]),
    ("Violation", &["invariant text, what text"]),
    (
        "Notice",
        &[
            "id text, receiver text, type text, state waiting|given_up, created_at time,
        due_at time?, tries whole, detail text?",
        ],
    ),
    (
        "RetentionLine",
        &[
            "what text, kept_days whole?, before time?, rows whole, bytes whole,
        busy switch",
        ],
    ),
    // What is sent.
    (
        "TopUp",
        &["amount text, unit text, ~reason text?, ~metadata any?"],
    ),
    (
        "Deduction",
        &["amount text, unit text, reason text, ~metadata any?"],
    ),
    (
        "DecisionOrder",
        &["accept switch, ~reason text?, ~waive_credits switch, ~seat text?"],
    ),
    (
        "ReplayOrder",
        &[
            "~source text?, ~state DeliveryState?, ~trigger text?, ~since time?,
        ~until time?, ~after text?, ~limit limit?, ~dry_run switch",
        ],
    ),
    (
        "LettersOrder",
        &[
            "~id whole?, ~source text?, ~action Action?, ~since time?, ~dry_run switch,
        ~force switch",
        ],
    ),
    ("RetryOrder", &["~force switch"]),
    (
        "Problem",
        &["code text, status whole, title text, detail text, ~last_attempt PolicyAttempt"],
    ),
];

/// What is worth saying of a field beside its name and type.
const SAID: &[(&str, &str, &str)] = &[
    ("Problem", "code", "For programs, such as `not-found`"),
    (
        "Problem",
        "detail",
        "What went wrong, and what would be right",
    ),
    (
        "Problem",
        "last_attempt",
        "What is wrong with the policies; only where they were refused",
    ),
    (
        "PolicyAttempt",
        "report",
        "The diagnostics for people, as `policy check` prints them",
    ),
    (
        "Diagnostic",
        "column",
        "In characters, from 1, as lines are",
    ),
    ("Diagnostic", "end_column", "Behind the last character"),
    (
        "TopUp",
        "amount",
        "More than 0, with no more decimals than the unit has",
    ),
    (
        "TopUp",
        "reason",
        "Stands in the statement; at most 500 characters",
    ),
    (
        "TopUp",
        "metadata",
        "Kept with it; at most 4096 bytes of JSON",
    ),
    (
        "Deduction",
        "amount",
        "More than 0, with no more decimals than the unit has",
    ),
    (
        "Deduction",
        "reason",
        "Stands in the statement; at most 500 characters",
    ),
    (
        "Deduction",
        "metadata",
        "Kept with it; at most 4096 bytes of JSON",
    ),
    (
        "DecisionOrder",
        "reason",
        "For the booker, cut where it is too long; needed for a refusal, and not allowed otherwise",
    ),
    ("DecisionOrder", "waive_credits", "Let it stand for nothing"),
    (
        "DecisionOrder",
        "seat",
        "Which one, if the booking has several",
    ),
    ("ReplayOrder", "limit", "At most 200 at once"),
    ("ReplayOrder", "dry_run", "Only tell which"),
    ("LettersOrder", "dry_run", "Only tell which"),
    (
        "LettersOrder",
        "force",
        "Retries only: also where the booking has begun",
    ),
    ("RetryOrder", "force", "Also where the booking has begun"),
    ("Decision", "facts", "What the policies looked at"),
    (
        "Decision",
        "shadows",
        "What policies with `mode = \"shadow\"` would have decided",
    ),
    (
        "Decision",
        "trace",
        "What the policies said, criterion by criterion",
    ),
    (
        "DecisionExplained",
        "set_hash",
        "All policies that were in force, by their meaning",
    ),
    (
        "Remade",
        "why",
        "What differs, or why it cannot be made again",
    ),
    ("Job", "report", "What the last run did"),
];

/// All of them, by name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    for (name, words) in WORDS {
        all.insert(
            (*name).to_owned(),
            json!({ "type": "string", "enum": words }),
        );
    }
    for (name, parts) in SHAPES {
        all.insert((*name).to_owned(), shape(parts));
    }
    let mut all = Value::Object(all);
    for (shape, field, text) in SAID {
        all[shape]["properties"][field]["description"] = (*text).into();
    }
    all
}

fn shape(parts: &[&str]) -> Value {
    let (mut fields, mut required) = (Map::new(), Vec::new());
    for field in parts.iter().flat_map(|part| part.split(',')) {
        let mut words = field.split_whitespace();
        let (Some(name), Some(kind)) = (words.next(), words.next()) else {
            continue;
        };
        let name = match name.strip_prefix('~') {
            Some(name) => name,
            None => {
                required.push(name);
                name
            }
        };
        fields.insert(name.to_owned(), typed(kind));
    }
    json!({
        "type": "object",
        "properties": fields,
        "required": required,
        "additionalProperties": false,
    })
}

fn typed(kind: &str) -> Value {
    if let Some(kind) = kind.strip_suffix('?') {
        return json!({ "anyOf": [typed(kind), { "type": "null" }] });
    }
    if let Some(kind) = kind.strip_prefix('[') {
        return json!({ "type": "array", "items": typed(kind.trim_end_matches(']')) });
    }
    match kind {
        "text" => json!({ "type": "string" }),
        "whole" => json!({ "type": "integer", "format": "int64" }),
        "limit" => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        "switch" => json!({ "type": "boolean" }),
        "time" => json!({ "type": "string", "format": "date-time" }),
        "amount" => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" }),
        "any" => json!({ "type": "object" }),
        "map" => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        words if words.contains('|') => {
            json!({ "type": "string", "enum": words.split('|').collect::<Vec<_>>() })
        }
        shape => json!({ "$ref": format!("#/components/schemas/{shape}") }),
    }
}
