//! Questions that policies put to other servers. A decision is made inside a transaction, and nobody is
//! asked while one is open: a step that finds a question without an answer writes nothing of that decision,
//! the worker asks under its lease, and the next step finds the answer. What was answered is kept in memory
//! while the worker has the chain; if the process ends before the decision is stored, the question is asked
//! again, under the same key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use sha2::{Digest, Sha256};

use super::{Inner, spans};
use crate::domain::callout::{Question, Reply};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::{ChainId, UnitKey};
use crate::domain::trace::Context;
use crate::policy::{Asker, Cache, Facts, Loaded, PolicySet};
use crate::provider::callout::Caller;

/// The longest that a decision waits for servers that only policies or criteria in shadow ask, in ms.
const WATCHED_MS_MAX: i64 = 2_000;
/// Questions of one chain at the same time, at the most.
const AT_ONCE_MAX: usize = 8;
/// The most answers that serve other bookings, too.
const REMEMBERED_MAX: usize = 10_000;

/// What was answered, by the questions' keys.
pub(super) type Answers = HashMap<String, Loaded<Reply>>;

/// Who asks, and what is remembered of answers.
pub(super) struct Callouts {
    caller: Arc<Caller>,
    remembered: Mutex<HashMap<String, Remembered>>,
}

/// An answer that serves other bookings, too.
struct Remembered {
    reply: Reply,
    until: Timestamp,
}

/// A question that has to be asked before something can be decided.
pub(super) struct Open {
    asker: Asker,
    question: Question,
    cache: Option<Cache>,
    /// What was known when it came up.
    facts: Facts,
}

/// The questions of one decision, while it is made.
pub(super) struct Asking<'a> {
    gate: &'a Inner,
    policies: &'a PolicySet,
    answers: &'a Answers,
    round: i64,
    /// Whether policies decide, and do not only say what they think.
    in_earnest: bool,
    open: Vec<Open>,
}

impl Callouts {
    pub(super) fn new(caller: Arc<Caller>) -> Self {
        Self {
            caller,
            remembered: Mutex::default(),
        }
    }

    fn recall(&self, key: &str, now: Timestamp) -> Option<Reply> {
        let all = self.remembered.lock();
        // A map, whole after each change: a panic elsewhere cannot have broken it.
        let all = all.unwrap_or_else(PoisonError::into_inner);
        let found = all.get(key).filter(|found| found.until > now);
        found.map(|found| found.reply.clone())
    }

    fn remember(&self, key: String, reply: Reply, until: Timestamp, now: Timestamp) {
        let all = self.remembered.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX {
            all.retain(|_, found| found.until > now);
        }
        if all.len() < REMEMBERED_MAX {
            all.insert(key, Remembered { reply, until });
        }
    }
}

impl<'a> Asking<'a> {
    /// None yet, of a decision of this round.
    pub(super) fn new(
        gate: &'a Inner,
        policies: &'a PolicySet,
        answers: &'a Answers,
        (round, in_earnest): (i64, bool),
    ) -> Self {
        Self {
            gate,
            policies,
            answers,
            round,
            in_earnest,
            open: Vec::new(),
        }
    }

    /// Looks for an answer; without one, the question is open. `watched`: whether a policy asks that is only
    /// watched.
    pub(super) fn look_up(
        &mut self,
        asker: &Asker,
        (unit, watched): (&UnitKey, bool),
        facts: &mut Facts,
    ) {
        let Some(call) = self.policies.call(asker, facts) else {
            facts.know_reply(asker.clone(), Loaded::Failed("it asks nothing".to_owned()));
            return;
        };
        let mut question = call.question;
        question.key = digest([&question.key, &self.round.to_string(), &unit.to_string()]);
        if let Some(reply) = self.answers.get(&question.key) {
            facts.know_reply(asker.clone(), reply.clone());
            return;
        }
        let set = self.policies.hash().to_string();
        let cache = call.cache.map(|cache| Cache {
            key: digest([&set, &cache.key]),
            ..cache
        });
        let now = self.gate.now();
        let callouts = &self.gate.callouts;
        let known = cache
            .as_ref()
            .and_then(|cache| callouts.recall(&cache.key, now));
        if let Some(reply) = known {
            self.gate.metrics.callout(asker, "remembered", None);
            facts.know_reply(asker.clone(), Loaded::Known(reply));
            return;
        }
        if watched || !self.in_earnest || self.policies.only_watches(asker) {
            let limits = &mut question.limits;
            limits.deadline_ms = limits.deadline_ms.min(WATCHED_MS_MAX);
            limits.attempts = 1;
        }
        self.open.push(Open {
            asker: asker.clone(),
            question,
            cache,
            facts: facts.clone(),
        });
    }

    /// Whether something has to be asked before this can be decided.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What has to be asked.
    pub(super) fn into_open(self) -> Vec<Open> {
        self.open
    }
}

/// Asks everything, so much at the same time as a host is asked: what waits longer than that would wait within
/// its deadline. No transaction is open.
pub(super) async fn ask(gate: &Inner, chain: ChainId, open: Vec<Open>) -> Answers {
    let root = spans::of_chain(gate, chain, gate.now()).await;
    let asking: Vec<BoxFuture<'_, (String, Loaded<Reply>)>> = open
        .into_iter()
        .map(|open| -> BoxFuture<'_, _> { Box::pin(traced(gate, chain, root, open)) })
        .collect();
    let asking = stream::iter(asking).buffer_unordered(AT_ONCE_MAX);
    asking.collect().await
}

/// Asks one question under a span of its own, and gives its key with the answer.
async fn traced(
    gate: &Inner,
    chain: ChainId,
    root: Option<Context>,
    open: Open,
) -> (String, Loaded<Reply>) {
    let (key, asker) = (open.question.key.clone(), open.asker.clone());
    let told = |reply: &Loaded<Reply>| {
        let attributes = vec![
            ("bookgate.policy", asker.policy.clone()),
            ("bookgate.criterion", asker.criterion.clone()),
        ];
        (attributes, matches!(reply, Loaded::Failed(_)))
    };
    let reply = spans::outside(gate, root, "callout", one(gate, chain, open), told).await;
    (key, reply)
}

async fn one(gate: &Inner, chain: ChainId, open: Open) -> Loaded<Reply> {
    let asker = &open.asker;
    let began = Instant::now();
    let reply = gate.callouts.caller.ask(&open.question).await;
    let seconds = Some(began.elapsed().as_secs_f64());
    match reply {
        Ok(reply) => {
            gate.metrics.callout(asker, "answered", seconds);
            tracing::debug!(chain.id = %chain, asker = %asker, http.status = reply.status, "a server answered");
            keep(gate, open, &reply);
            Loaded::Known(reply)
        }
        Err(why) => {
            gate.metrics.callout(asker, "failed", seconds);
            tracing::warn!(chain.id = %chain, asker = %asker, error = %why, "a server that a policy asks gave no answer");
            Loaded::Failed(why)
        }
    }
}

/// Remembers an answer for other bookings, if the policy wants that.
fn keep(gate: &Inner, open: Open, reply: &Reply) {
    let Some(cache) = open.cache else { return };
    let mut facts = open.facts;
    facts.know_reply(open.asker.clone(), Loaded::Known(reply.clone()));
    if !cache.only_pass || gate.policies.set().is_met(&open.asker, &facts) {
        let now = gate.now();
        let until = plus_ms(now, cache.ttl_ms);
        gate.callouts.remember(cache.key, reply.clone(), until, now);
    }
}

/// Tells questions apart, in hexadecimal digits; no part can be taken for the end of another.
fn digest<const N: usize>(parts: [&str; N]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

/// For tests: who may ask nobody.
#[cfg(test)]
pub(super) fn nobody(clock: Arc<dyn crate::domain::clock::Clock>) -> Arc<Caller> {
    use crate::provider::callout::CalloutSettings;
    use crate::provider::circuit::CircuitSettings;

    let settings = CalloutSettings {
        hosts: Vec::new(),
        allow_private: Vec::new(),
        concurrency: 1,
        concurrency_per_host: 1,
        circuit: CircuitSettings::NEVER,
    };
    Arc::new(Caller::new(settings, clock).unwrap())
}
