//! The policies in force, as a person looks at them.

mod reload;

use serde::Serialize;

use super::Gate;
use crate::domain::clock::Timestamp;
use crate::policy::{Diagnostics, Mode, Policy, Role};

pub(super) use reload::Policies;
pub use reload::{ReadPolicies, ReloadCause, StartingPolicies};

/// The policies that were loaded together. Those that are wrong, or fail their own tests, are not loaded.
#[derive(Debug, Clone, Serialize)]
pub struct PoliciesView {
    /// The meaning of all of them together.
    pub hash: String,
    /// When this daemon loaded them.
    pub loaded_at: Timestamp,
    /// Where it loaded them from.
    pub loaded_from: PolicyOrigin,
    /// What came of the last time that this daemon read its folder.
    pub last_attempt: PolicyAttempt,
    /// Guardrails first, then those that decide by falling rank.
    pub policies: Vec<PolicyView>,
}

/// Where policies were loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyOrigin {
    /// The policies' folder.
    Folder,
    /// What was kept of the last set without an error, because the folder's had some.
    LastGood,
}

/// What came of reading the policies' folder.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyAttempt {
    /// When.
    pub at: Timestamp,
    /// `ok`, or `refused`: then those that were in force go on.
    pub result: &'static str,
    /// What is wrong, or worth knowing.
    pub diagnostics: Diagnostics,
    /// The same for people, as `policy check` prints it; `None` if there is nothing.
    pub report: Option<String>,
}

impl PolicyAttempt {
    /// Whether what was read is not in force.
    pub fn is_refused(&self) -> bool {
        self.result == "refused"
    }
}

/// One policy.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is there for.
    pub description: Option<String>,
    /// Whom to ask about it.
    pub owner: Option<String>,
    /// `deciding`, or `guardrail`: that can only refuse.
    pub role: Role,
    /// `enforce`; `shadow` and `off` do not count.
    pub mode: Mode,
    /// Among several that match, the highest decides.
    pub priority: i64,
    /// The file it was read from.
    pub file: String,
    /// Its meaning.
    pub hash: String,
    /// The sources it is for; any if empty.
    pub sources: Vec<String>,
    /// The event types it is for, by id or by name; any if empty.
    pub event_types: Vec<String>,
    /// Metadata that bookings must have, as `key = value`.
    pub metadata: Vec<String>,
    /// The price of a booking, where it is the same for all; with its unit.
    pub price: Option<String>,
    /// The zone of its windows and dates.
    pub time_zone: Option<String>,
    /// What it asks.
    pub criteria: Vec<CriterionView>,
}

/// One criterion of a policy.
#[derive(Debug, Clone, Serialize)]
pub struct CriterionView {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: &'static str,
}

impl Gate {
    /// The policies in force.
    pub fn policies(&self) -> PoliciesView {
        let now = self.0.policies.in_force();
        PoliciesView {
            hash: now.set.hash().to_string(),
            loaded_at: now.loaded_at,
            loaded_from: now.origin,
            last_attempt: reload::attempt(&now),
            policies: now.set.policies().map(view).collect(),
        }
    }
}

fn view(policy: &Policy) -> PolicyView {
    let matching = &policy.matching;
    let ids = matching.event_type_ids.iter().map(i64::to_string);
    let criteria = policy.rules.iter().map(|rule| CriterionView {
        id: rule.id.to_string(),
        kind: rule.kind,
    });
    PolicyView {
        id: policy.id.to_string(),
        title: policy.title.clone(),
        description: policy.description.clone(),
        owner: policy.owner.clone(),
        role: policy.role,
        mode: policy.mode,
        priority: policy.priority,
        file: policy.source.name.clone(),
        hash: policy.hash.to_string(),
        sources: matching.sources.clone(),
        event_types: matching
            .event_type_slugs
            .iter()
            .cloned()
            .chain(ids)
            .collect(),
        metadata: matching
            .metadata
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect(),
        price: price(policy),
        time_zone: policy.zone.iana_name().map(str::to_owned),
        criteria: criteria.collect(),
    }
}

fn price(policy: &Policy) -> Option<String> {
    let credits = policy.credits.as_ref()?;
    let cost = credits.cost.as_ref()?;
    let one_for_all = cost.per_extra_guest == 0 && cost.per_hour == 0;
    one_for_all.then(|| format!("{} {}", credits.unit.format(cost.base), credits.unit.code))
}
