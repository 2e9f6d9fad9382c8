//! A past decision, explained from what was kept with it: what it looked at, which policies had a word and
//! what they said. And made again from the same texts and facts, to see that nothing else was in play.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::decide::to_json;
use super::explain::{Explained, PolicyAsked, asked};
use super::query::{Told, line, no_booking, story};
use super::views::{BookingLine, DecisionView};
use super::{Desk, GateError};
use crate::domain::chain::{Decider, Decision};
use crate::domain::ids::SourceName;
use crate::policy::{
    Evaluation, Facts, PolicyHash, PolicyRef, PolicySet, Said, SetPart, Trace, Verdict, restore,
};
use crate::storage::records::DecisionStory;
use crate::storage::{StorageError, Tx};

/// How many of the things that are wrong with kept policies are told.
const WRONG_SHOWN_MAX: usize = 5;

/// The decisions on a booking, explained.
#[derive(Debug, Clone, Serialize)]
pub struct ExplanationView {
    /// The booking that was asked for.
    #[serde(flatten)]
    pub line: BookingLine,
    /// What was decided on it, and on those that it was moved from and to, oldest first.
    pub decisions: Vec<DecisionExplained>,
}

/// A decision, everything it was made from, and what comes of that today.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionExplained {
    /// The decision.
    #[serde(flatten)]
    pub decision: DecisionView,
    /// The set of policies that was in force; `None` if none was asked, or none was kept.
    pub set_hash: Option<String>,
    /// All policies of the set, and which of them had a word.
    pub policies: Vec<PolicyAsked>,
    /// The same decision, made again.
    pub remade: Remade,
    /// The policies themselves, if this version understands them.
    #[serde(skip)]
    pub set: Option<Arc<PolicySet>>,
    /// What was decided, as `policy explain` tells it; `None` if it cannot be read, or no policy was asked.
    #[serde(skip)]
    pub explained: Option<Explained>,
}

/// What comes of a decision when it is made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remade {
    /// Whether it is the same.
    pub result: Recomputed,
    /// The version of bookgate that made it again.
    pub engine: &'static str,
    /// What differs, or why it cannot be made again.
    pub why: Vec<String>,
}

/// Whether a decision comes out the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recomputed {
    /// Verdict and trace are the same, bit for bit.
    Same,
    /// Something differs.
    Differs,
    /// It cannot be made again: something it was made from was not kept, or is not understood any more.
    Impossible,
    /// No policy was asked.
    NotByPolicy,
}

impl Remade {
    fn of(result: Recomputed, why: Vec<String>) -> Self {
        Self {
            result,
            engine: env!("CARGO_PKG_VERSION"),
            why,
        }
    }
}

/// A set of policies as it was kept.
#[derive(Debug, Default)]
pub(super) struct KeptSet {
    parts: Vec<(SetPart, String)>,
    lists: BTreeMap<PolicyHash, String>,
    /// What should be there and is not.
    missing: Vec<String>,
}

/// A set made again, or why it is not.
pub(super) type Restored = Result<Arc<PolicySet>, Vec<String>>;

impl Desk {
    /// The decisions on a booking, found by uid or number, each explained from what was kept with it.
    ///
    /// # Errors
    /// [`GateError::NotFound`].
    pub async fn explain_booking(
        &self,
        source: &str,
        reference: &str,
    ) -> Result<ExplanationView, GateError> {
        let (source, reference) = (SourceName::new(source), reference.to_owned());
        let reading = self.storage.read(move |tx| {
            Box::pin(async move {
                let Some(row) = tx.find_booking(&source, &reference).await? else {
                    return Err(no_booking(&source, &reference));
                };
                let record = tx.load_chain(row.chain).await?;
                let (mut stories, mut sets) = (Vec::new(), BTreeMap::new());
                for decision in record.map(|record| record.decisions).unwrap_or_default() {
                    let told = story(tx, &decision).await?;
                    if let Some(hash) = &told.0.set_hash
                        && !sets.contains_key(hash)
                    {
                        sets.insert(hash.clone(), kept_set(tx, hash).await?);
                    }
                    stories.push((decision, told));
                }
                Ok((line(row), stories, sets))
            })
        });
        let (line, stories, sets) = reading.await?;
        let desk = self.clone();
        // Lists may be long.
        let explaining = tokio::task::spawn_blocking(move || {
            let sets: BTreeMap<_, _> = sets
                .into_iter()
                .map(|(hash, kept)| (hash, kept.restore(&desk)))
                .collect();
            let of = |(decision, told)| desk.decision_explained(&decision, told, &sets);
            stories.into_iter().map(of).collect()
        });
        let decisions: Result<_, GateError> = match explaining.await {
            Ok(decisions) => decisions,
            Err(ended) => std::panic::resume_unwind(ended.into_panic()),
        };
        let decisions = decisions?;
        Ok(ExplanationView { line, decisions })
    }

    fn decision_explained(
        &self,
        decision: &Decision,
        told: Told,
        sets: &BTreeMap<String, Restored>,
    ) -> Result<DecisionExplained, GateError> {
        let story = &told.0;
        let restored = story.set_hash.as_ref().and_then(|hash| sets.get(hash));
        let explained = stored(decision, story);
        let remade = match (&decision.decider, &explained) {
            (Decider::Carried | Decider::Person(_), _) => {
                Remade::of(Recomputed::NotByPolicy, Vec::new())
            }
            (_, Err(why)) => Remade::of(Recomputed::Impossible, vec![why.clone()]),
            (_, Ok(before)) => remake(before, story, restored),
        };
        let (set, explained) = (restored.and_then(|set| set.as_ref().ok()), explained.ok());
        let policies = match (set, &explained) {
            (Some(set), Some(explained)) => asked(set, &explained.facts),
            _ => Vec::new(),
        };
        Ok(DecisionExplained {
            set_hash: story.set_hash.clone(),
            set: set.cloned(),
            policies,
            remade,
            explained,
            decision: self.decision_view(decision, told)?,
        })
    }
}

/// Reads what was kept of a set.
pub(super) async fn kept_set(tx: &mut Tx, hash: &str) -> Result<KeptSet, StorageError> {
    let mut kept = KeptSet::default();
    let Some(parts) = tx.archived_set(hash).await? else {
        kept.missing.push(format!("the set {hash} was not kept"));
        return Ok(kept);
    };
    let parts: Vec<SetPart> = match serde_json::from_str(&parts) {
        Ok(parts) => parts,
        Err(error) => {
            let why = format!("what the set {hash} is made of cannot be read: {error}");
            kept.missing.push(why);
            return Ok(kept);
        }
    };
    for part in parts {
        for (path, digest) in &part.lists {
            if kept.lists.contains_key(digest) {
                continue;
            }
            match tx.archived_list(&digest.to_string()).await? {
                Some(entries) => drop(kept.lists.insert(*digest, entries)),
                None => kept
                    .missing
                    .push(format!("the list {path} was too long to be kept")),
            }
        }
        match tx.archived_policy(&part.hash.to_string()).await? {
            Some(text) => kept.parts.push((part, text)),
            None => kept
                .missing
                .push(format!("the policy {} was not kept", part.name)),
        }
    }
    Ok(kept)
}

impl KeptSet {
    pub(super) fn restore(self, desk: &Desk) -> Restored {
        if !self.missing.is_empty() {
            return Err(self.missing);
        }
        let restored = restore(self.parts, &self.lists, &desk.units);
        restored.map(Arc::new).map_err(|wrong| {
            let wrong = wrong.places(WRONG_SHOWN_MAX);
            vec![format!(
                "this version does not understand the policies: {wrong}"
            )]
        })
    }
}

/// What was stored of a decision that policies made, or why that cannot be read.
fn stored(decision: &Decision, story: &DecisionStory) -> Result<Explained, String> {
    let (Some(set_hash), Some(said)) = (&story.set_hash, &story.verdict) else {
        return Err("it was made before all that it takes was kept with it".to_owned());
    };
    let wrong = |what: &'static str| {
        move |error: serde_json::Error| format!("{what} cannot be read by this version: {error}")
    };
    let said: Said = serde_json::from_str(said).map_err(wrong("the verdict"))?;
    let facts: Facts = serde_json::from_str(&story.facts).map_err(wrong("what it looked at"))?;
    let trace: Trace = serde_json::from_str(&story.trace).map_err(wrong("the trace"))?;
    let hash = |text: &str| PolicyHash::try_from(text.to_owned()).map_err(|e| e.to_string());
    let policy = match (&story.policy_id, &story.policy_hash) {
        (Some(id), Some(of)) => Some(PolicyRef {
            id: id.as_str().into(),
            hash: hash(of)?,
        }),
        _ => None,
    };
    Ok(Explained {
        outcome: decision.outcome,
        message: decision.message.clone(),
        note: story.note.clone(),
        verdict: Verdict {
            outcome: said.outcome,
            policy,
            set_hash: hash(set_hash)?,
            message: said.message,
            message_if_short: None,
            note: said.note,
            failed: said.failed,
            terms: decision.terms.clone(),
            hold_expiry_ms: said.hold_expiry_ms,
            trace,
            codes: said.codes,
        },
        facts,
    })
}

/// Has the same policies judge the same facts.
fn remake(before: &Explained, story: &DecisionStory, set: Option<&Restored>) -> Remade {
    let set = match set {
        Some(Ok(set)) => set,
        Some(Err(why)) => return Remade::of(Recomputed::Impossible, why.clone()),
        None => return Remade::of(Recomputed::Impossible, Vec::new()),
    };
    let mut why = match set.evaluate(&before.facts) {
        Evaluation::Needs(needs) => {
            vec![format!(
                "the policies ask for more than was looked at: {needs:?}"
            )]
        }
        Evaluation::Decided(now) => differences(&before.verdict, &now, &story.trace),
    };
    if why.is_empty() {
        return Remade::of(Recomputed::Same, why);
    }
    let this = env!("CARGO_PKG_VERSION");
    if story.engine != this {
        why.push(format!(
            "it was made by bookgate {}, and this is {this}",
            story.engine
        ));
    }
    Remade::of(Recomputed::Differs, why)
}

fn differences(before: &Verdict, now: &Verdict, trace: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, before: String, now: String| {
        if before != now {
            found.push(format!("{what}: was {before}, now {now}"));
        }
    };
    compare(
        "what the policies mean",
        before.set_hash.to_string(),
        now.set_hash.to_string(),
    );
    compare(
        "the policy with the last word",
        to_json(&before.policy),
        to_json(&now.policy),
    );
    compare("the verdict", to_json(&before.said()), to_json(&now.said()));
    compare(
        "the price and its terms",
        to_json(&before.terms),
        to_json(&now.terms),
    );
    if to_json(&now.trace) == trace {
        return found;
    }
    let (mut old, mut new) = (before.trace.criteria.iter(), now.trace.criteria.iter());
    loop {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let name = old.or(new);
                let name = name.map(|one| format!("{}/{}", one.policy, one.id));
                let what = format!("criterion {}", name.unwrap_or_default());
                found.push(format!(
                    "{what}: was {}, now {}",
                    to_json(&old),
                    to_json(&new)
                ));
            }
        }
    }
    if found.is_empty() {
        found.push("the trace is written otherwise, and says the same".to_owned());
    }
    found
}
