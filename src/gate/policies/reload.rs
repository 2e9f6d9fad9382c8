//! The policies in force, and reading them anew. A set is swapped in whole or not at all; whoever is
//! deciding keeps the one that the decision began with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::{PoliciesView, PolicyAttempt, PolicyOrigin};
use crate::domain::clock::Timestamp;
use crate::gate::{Actor, Gate, GateError, Inner};
use crate::policy::{Diagnostics, PolicySet};
use crate::storage::StorageError;

/// How many diagnostics of a refused set are logged; `policy check` shows all.
const LOGGED_MAX: usize = 10;

/// Reads all policies, checks and tests them: the set with its hints, or all that is wrong. May take its
/// time, and holds up nobody.
pub type ReadPolicies = dyn Fn(Timestamp) -> BoxFuture<'static, Result<(PolicySet, Diagnostics), Diagnostics>>
    + Send
    + Sync;

/// What a daemon begins with.
pub struct StartingPolicies {
    /// The policies.
    pub set: Arc<PolicySet>,
    /// Where they are from.
    pub origin: PolicyOrigin,
    /// What was said of the folder: hints, or errors where its policies are not those in force.
    pub found: Diagnostics,
    /// Reads the folder again.
    pub read: Box<ReadPolicies>,
}

/// The policies of one gate.
pub(in crate::gate) struct Policies {
    in_force: ArcSwap<InForce>,
    read: Box<ReadPolicies>,
    /// Held while they are read, so that what is found later is also what holds later.
    turn: Mutex<()>,
    /// Whether what was read last came to nothing, because it could not be noted who asked for it.
    in_vain: AtomicBool,
}

/// What holds, and what came of the last try to load something else.
pub(super) struct InForce {
    pub(super) set: Arc<PolicySet>,
    pub(super) origin: PolicyOrigin,
    pub(super) loaded_at: Timestamp,
    pub(super) tried_at: Timestamp,
    pub(super) found: Diagnostics,
}

/// Who wants the policies to be read.
#[derive(Debug, Clone)]
pub enum ReloadCause {
    /// Their files have changed.
    Change,
    /// A signal.
    Signal,
    /// Somebody at the admin endpoint.
    Actor(Actor),
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").finish_non_exhaustive()
    }
}

impl fmt::Debug for StartingPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartingPolicies")
            .field("set", &self.set)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl StartingPolicies {
    /// Policies that never change.
    pub(in crate::gate) fn unchanging(set: Arc<PolicySet>) -> Self {
        Self {
            set,
            origin: PolicyOrigin::Folder,
            found: Diagnostics::default(),
            read: Box::new(|_| Box::pin(async { Err(Diagnostics::default()) })),
        }
    }
}

impl InForce {
    /// Whether what was read last is what holds.
    pub(super) fn is_current(&self) -> bool {
        !self.found.has_errors()
    }
}

impl Policies {
    pub(in crate::gate) fn new(start: StartingPolicies, now: Timestamp) -> Self {
        let in_force = InForce {
            set: start.set,
            origin: start.origin,
            loaded_at: now,
            tried_at: now,
            found: start.found,
        };
        Self {
            in_force: ArcSwap::from_pointee(in_force),
            read: start.read,
            turn: Mutex::new(()),
            in_vain: AtomicBool::new(false),
        }
    }

    /// The policies in force.
    pub(in crate::gate) fn set(&self) -> Arc<PolicySet> {
        Arc::clone(&self.in_force.load().set)
    }

    /// Whether what was read last is what holds.
    pub(in crate::gate) fn are_current(&self) -> bool {
        self.in_force.load().is_current()
    }

    pub(super) fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }
}

impl Gate {
    /// Reads all policies anew. If nothing is wrong with any, they are in force from the next decision on;
    /// else those before go on. Either way the answer says what holds, and what came of this.
    ///
    /// Goes through also if nobody waits for it any more.
    ///
    /// # Errors
    /// The order cannot be noted in the audit log, because the store cannot be written. Then nothing has
    /// changed, and [`Gate::has_read_policies_in_vain`].
    pub async fn reload_policies(&self, cause: ReloadCause) -> Result<PoliciesView, GateError> {
        let gate = self.clone();
        let reloading = tokio::spawn(async move {
            reload(&gate.0, &cause).await?;
            Ok(gate.policies())
        });
        match reloading.await {
            Ok(reloaded) => reloaded,
            Err(ended) => std::panic::resume_unwind(ended.into_panic()),
        }
    }
}

impl Gate {
    /// Whether files that have not changed since they were read have to be read all the same.
    pub fn has_read_policies_in_vain(&self) -> bool {
        self.0.policies.in_vain.load(Ordering::Relaxed)
    }
}

async fn reload(gate: &Inner, cause: &ReloadCause) -> Result<(), GateError> {
    let policies = &gate.policies;
    let _turn = policies.turn.lock().await;
    let now = gate.now();
    let (set, found) = match (policies.read)(now).await {
        Ok((set, hints)) => (Some(Arc::new(set)), hints),
        Err(errors) => (None, errors),
    };
    if let ReloadCause::Actor(actor) = cause {
        let detail = match &set {
            Some(set) => format!("loaded {}", set.hash()),
            None => "refused".to_owned(),
        };
        if let Err(error) = note(gate, actor, detail, now).await {
            policies.in_vain.store(true, Ordering::Relaxed);
            return Err(error.into());
        }
    }
    policies.in_vain.store(false, Ordering::Relaxed);
    log(cause, set.as_deref(), &found);
    let before = policies.in_force();
    gate.metrics.policies_read(set.is_some(), now);
    let (set, origin, loaded_at) = match set {
        Some(set) => {
            gate.metrics.policies_loaded(&set, gate.sources(), now);
            (set, PolicyOrigin::Folder, now)
        }
        None => (Arc::clone(&before.set), before.origin, before.loaded_at),
    };
    policies.in_force.store(Arc::new(InForce {
        set,
        origin,
        loaded_at,
        tried_at: now,
        found,
    }));
    Ok(())
}

async fn note(
    gate: &Inner,
    actor: &Actor,
    detail: String,
    now: Timestamp,
) -> Result<(), StorageError> {
    let change = actor.change("policy.reload", "policies", Some(detail));
    let noting = gate
        .storage
        .write(move |tx| Box::pin(async move { tx.note_change(&change, now).await }));
    noting.await
}

/// Says what came of reading the policies. Of what is wrong only where it is: lines of policies may hold
/// addresses.
fn log(cause: &ReloadCause, set: Option<&PolicySet>, found: &Diagnostics) {
    let cause = match cause {
        ReloadCause::Change => "change",
        ReloadCause::Signal => "signal",
        ReloadCause::Actor(_) => "request",
    };
    match set {
        Some(set) => tracing::info!(
            policy.set = %set.hash(),
            policy.count = set.policies().count(),
            policy.hints = found.iter().count(),
            policy.cause = cause,
            "policies loaded"
        ),
        None => tracing::error!(
            policy.wrong = %found.places(LOGGED_MAX),
            policy.cause = cause,
            "policies refused, those before go on: `bookgate policy check` says what is wrong"
        ),
    }
}

/// What came of the last try, as it is shown.
pub(super) fn attempt(in_force: &InForce) -> PolicyAttempt {
    PolicyAttempt {
        at: in_force.tried_at,
        result: match in_force.is_current() {
            true => "ok",
            false => "refused",
        },
        report: (!in_force.found.is_empty()).then(|| in_force.found.render(false)),
        diagnostics: in_force.found.clone(),
    }
}
