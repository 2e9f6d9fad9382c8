//! What an evaluation says: the outcome, its reasons, and the trace that shows how it came about.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compiled::PolicyHash;
use super::facts::{Need, Stage};
use super::measured::Values;
use super::truth::Truth;
use crate::domain::decision::{Outcome, Terms};

/// The result of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// Not decided yet: load these facts, which are all of one stage, and evaluate again.
    Needs(BTreeSet<Need>),
    /// Decided.
    Decided(Box<Verdict>),
}

/// Which policy, in which version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Its id.
    pub id: Arc<str>,
    /// Its meaning at that time.
    pub hash: PolicyHash,
}

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What is to become of the booking.
    pub outcome: Outcome,
    /// The policy that had the last word; `None` if none matched.
    pub policy: Option<PolicyRef>,
    /// The whole set it was part of.
    pub set_hash: PolicyHash,
    /// For the booker: why not. Only with [`Outcome::Reject`]; at most
    /// [`MESSAGE_CHARS_MAX`](super::text::MESSAGE_CHARS_MAX) characters.
    pub message: Option<String>,
    /// What the booker is told instead if an accepted booking finds too little credit, where the author
    /// wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_if_short: Option<String>,
    /// For admins.
    pub note: Option<String>,
    /// The criteria a refusal rests on: those that failed, those that must not pass and did, or
    /// those without an answer where the policy refuses then.
    pub failed: Vec<String>,
    /// Price and refund schedule of the deciding policy, whatever the outcome: a person may still
    /// let the booking stand.
    pub terms: Terms,
    /// How long a hold waits for an answer by that policy, in milliseconds.
    pub hold_expiry_ms: Option<i64>,
    /// How it came about.
    pub trace: Trace,
    /// The codes that the booking uses up, unless it is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
}

/// What a verdict says, without what is stored of it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// As [`Verdict::outcome`].
    pub outcome: Outcome,
    /// As [`Verdict::message`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// As [`Verdict::note`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// As [`Verdict::failed`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// As [`Verdict::hold_expiry_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_expiry_ms: Option<i64>,
    /// As [`Verdict::codes`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
}

impl Verdict {
    /// What it says, to be stored beside its policy, its terms and its trace.
    pub fn said(&self) -> Said {
        Said {
            outcome: self.outcome,
            message: self.message.clone(),
            note: self.note.clone(),
            failed: self.failed.clone(),
            hold_expiry_ms: self.hold_expiry_ms,
            codes: self.codes.clone(),
        }
    }
}

/// How a verdict came about: every criterion of every policy that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace {
    /// Guardrails first, then the deciding policy; criteria in the order of their files.
    pub criteria: Vec<CriterionTrace>,
}

/// What one criterion said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionTrace {
    /// The policy's id.
    pub policy: Arc<str>,
    /// The criterion's id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: Cow<'static, str>,
    /// When it can be answered.
    pub stage: Stage,
    /// Its answer.
    pub result: TraceResult,
    /// What it measured.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub facts: Values,
    /// Why it could not be answered; `result` is then what its `on_error` makes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it is only watched: its answer changes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// Whether the outcome rests on it.
    pub decided: bool,
}

/// The answer of a criterion in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceResult {
    /// Met.
    Pass,
    /// Not met.
    Fail,
    /// Could not be answered.
    Unknown,
    /// Not asked: the outcome was settled without it.
    NotEvaluated,
    /// Not asked: its `when` is not met, so it counts as met.
    Skipped,
}

impl From<Option<Truth>> for TraceResult {
    fn from(truth: Option<Truth>) -> Self {
        match truth {
            Some(Truth::Pass) => Self::Pass,
            Some(Truth::Fail) => Self::Fail,
            Some(Truth::Unknown) => Self::Unknown,
            None => Self::NotEvaluated,
        }
    }
}
