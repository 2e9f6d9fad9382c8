//! All policies that are in force together.

use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::codes::Code;
use super::compiled::{Mode, Policy, PolicyHash, Role, Rule};
use super::criterion::{Call, PolicyContext};
use super::diagnostic::Diagnostic;
use super::evaluate::{Fallback, evaluate};
use super::facts::{Asker, Facts, Stage};
use super::truth::Truth;
use super::verdict::Evaluation;
use crate::domain::decision::Outcome;

/// The longest that a policy is only watched before that is worth a warning, in days.
const SHADOW_DAYS_MAX: i32 = 60;

/// The policies in force, checked and compiled. Immutable: a reload makes a new one, and an
/// evaluation keeps the one it began with.
#[derive(Debug)]
pub struct PolicySet {
    hash: PolicyHash,
    counts: bool,
    /// Guardrails by id, then deciding policies by falling rank and id.
    policies: Vec<Arc<Policy>>,
}

impl PolicySet {
    pub(super) fn new(mut policies: Vec<Arc<Policy>>) -> Self {
        policies.sort_by(|a, b| {
            let guards = |policy: &Policy| policy.role == Role::Guardrail;
            guards(b)
                .cmp(&guards(a))
                .then_with(|| b.rank().cmp(&a.rank()))
                .then_with(|| a.id.cmp(&b.id))
        });
        let mut hasher = Sha256::new();
        for policy in &policies {
            hasher.update(policy.hash.0);
        }
        let mut rules = policies.iter().flat_map(|policy| &policy.rules);
        Self {
            hash: PolicyHash(hasher.finalize().into()),
            counts: rules.any(|rule| rule.criterion.counts()),
            policies,
        }
    }

    /// The meaning of the whole set.
    pub fn hash(&self) -> PolicyHash {
        self.hash
    }

    /// Whether any policy counts bookings, or uses of a code.
    pub fn counts(&self) -> bool {
        self.counts
    }

    /// All policies, also those that are not enforced: guardrails first, then by falling rank.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter().map(Arc::as_ref)
    }

    /// What has only been watched for so long that it should be decided whether it is to count. Not part
    /// of loading, which does not know what day it is.
    pub fn old_shadows(&self, today: Date) -> Vec<Diagnostic> {
        let shadows = self.policies.iter();
        let shadows = shadows.filter(|policy| policy.mode == Mode::Shadow);
        let old = shadows.filter_map(|policy| {
            let since = policy.shadow_since.as_ref()?;
            let days = since.value.until(today).ok()?.get_days();
            (days > SHADOW_DAYS_MAX).then(|| {
                let message = format!("`{}` has only been watched for {days} days", policy.id);
                let help = "put it in force (`mode = \"enforce\"`), or switch it off";
                let span = since.span.clone();
                Diagnostic::new(&policy.source, Code::OldShadow, span, message).help(help)
            })
        });
        old.collect()
    }

    /// Decides, or says which facts are missing. Guardrails that match are all asked; of the other
    /// policies that match, the one with the highest priority, then the closest match, decides.
    pub fn evaluate(&self, facts: &Facts) -> Evaluation {
        self.judge(self.asked(facts), facts)
    }

    /// As [`PolicySet::evaluate`], as if this policy, which is only watched, were in force. `None` where
    /// that would change nothing: the booking would not be put to it, nor taken from the policy whose place
    /// it has.
    pub fn evaluate_if(&self, shadow: &Policy, facts: &Facts) -> Option<Evaluation> {
        let asked = self.asked_if(shadow, facts)?;
        Some(self.judge(asked, facts))
    }

    /// What a criterion asks another server about a booking; `None` if there is no such criterion, or if it
    /// asks nothing.
    pub fn call(&self, asker: &Asker, facts: &Facts) -> Option<Call> {
        let (policy, rule) = self.rule(asker)?;
        rule.criterion.call(facts, &policy.zone)
    }

    /// The criteria that ask other servers.
    pub fn askers(&self) -> impl Iterator<Item = Asker> {
        let rules = self
            .policies()
            .flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
        // Who borrows a group has its criteria ask.
        let asking = rules.filter(|(_, rule)| {
            rule.criterion.stage() == Stage::External && rule.criterion.borrows().is_none()
        });
        asking.map(|(policy, rule)| Asker {
            policy: policy.id.to_string(),
            criterion: rule.id.to_string(),
        })
    }

    /// Whether a criterion is only watched, or its whole policy.
    pub fn only_watches(&self, asker: &Asker) -> bool {
        let rule = self.rule(asker);
        rule.is_some_and(|(policy, rule)| rule.shadow || policy.mode == Mode::Shadow)
    }

    /// Whether a criterion is met by itself, with what is among the facts.
    pub fn is_met(&self, asker: &Asker, facts: &Facts) -> bool {
        self.rule(asker).is_some_and(|(policy, rule)| {
            let context = PolicyContext {
                cost: policy.cost(&facts.details),
                zone: &policy.zone,
            };
            rule.criterion.evaluate(facts, &context).truth == Truth::Pass
        })
    }

    fn rule(&self, asker: &Asker) -> Option<(&Policy, &Rule)> {
        let policy = self.policies().find(|policy| *policy.id == *asker.policy)?;
        let mut rules = policy.rules.iter();
        let rule = rules.find(|rule| *rule.id == *asker.criterion)?;
        Some((policy, rule))
    }

    /// The policies that are only watched.
    pub fn shadows(&self) -> impl Iterator<Item = &Policy> {
        self.policies().filter(|policy| policy.mode == Mode::Shadow)
    }

    fn judge(&self, asked: Asked<'_>, facts: &Facts) -> Evaluation {
        let Asked {
            guardrails: mut asked,
            deciding,
            tied,
        } = asked;
        let note = match (deciding, tied) {
            (Some(first), Some(second)) => format!(
                "the policies {} and {} claim this booking with the same rank; give one a higher priority",
                first.id, second.id
            ),
            _ => "no policy matches this booking".to_owned(),
        };
        let fallback = Fallback {
            outcome: Outcome::Defer,
            note,
        };
        asked.extend(deciding.filter(|_| tied.is_none()));
        evaluate(asked, fallback, self.hash, facts)
    }

    /// Whom a booking is put to.
    pub fn asked(&self, facts: &Facts) -> Asked<'_> {
        self.asked_without(None, facts)
    }

    fn asked_without(&self, left_out: Option<&str>, facts: &Facts) -> Asked<'_> {
        let mut asked = Asked::default();
        for policy in self
            .policies()
            .filter(|policy| policy.mode == Mode::Enforce && left_out != Some(&*policy.id))
        {
            if asked.tied.is_some() || !policy.matching.covers(facts) {
                continue;
            }
            match (policy.role, asked.deciding) {
                (Role::Guardrail, _) => asked.guardrails.push(policy),
                (Role::Deciding, None) => asked.deciding = Some(policy),
                (Role::Deciding, Some(first)) if first.rank() == policy.rank() => {
                    asked.tied = Some(policy);
                }
                // Sorted by rank: nothing behind this one can tie.
                (Role::Deciding, Some(_)) => break,
            }
        }
        asked
    }

    /// Whom a booking would be put to if a policy that is only watched were in force: without the one
    /// whose place it takes, and before those of its own rank.
    fn asked_if<'p>(&'p self, shadow: &'p Policy, facts: &Facts) -> Option<Asked<'p>> {
        let replaced = shadow.shadow_of.as_ref().map(|of| of.value.as_str());
        let mut asked = self.asked_without(replaced, facts);
        let covers = shadow.matching.covers(facts);
        match shadow.role {
            Role::Guardrail if covers => {
                asked.guardrails.push(shadow);
                asked.guardrails.sort_by(|one, other| one.id.cmp(&other.id));
            }
            Role::Deciding
                if covers
                    && asked
                        .deciding
                        .is_none_or(|first| shadow.rank() >= first.rank()) =>
            {
                asked.deciding = Some(shadow);
                asked.tied = None;
            }
            // It is not asked; but who has its place now may be, and would not be any more.
            _ if !self.asked(facts).has(replaced?) => return None,
            _ => {}
        }
        Some(asked)
    }
}

/// The policies that a booking is put to.
#[derive(Debug, Clone, Default)]
pub struct Asked<'p> {
    /// Those that can only refuse: all that match.
    pub guardrails: Vec<&'p Policy>,
    /// The one that decides.
    pub deciding: Option<&'p Policy>,
    /// Another one of the same rank: then neither decides.
    pub tied: Option<&'p Policy>,
}

impl Asked<'_> {
    fn has(&self, id: &str) -> bool {
        let deciding = self.deciding.iter().chain(&self.tied);
        let mut all = self.guardrails.iter().chain(deciding);
        all.any(|policy| *policy.id == *id)
    }
}
