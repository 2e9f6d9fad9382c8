//! Policies, from their folder to a set that may be used: at the start, and whenever they change.

mod folder;
mod last_good;
mod outside;
mod own_kinds;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::amount::{Unit, UnitCode};
use crate::domain::clock::Timestamp;
use crate::gate::{PolicyOrigin, StartingPolicies};
use crate::policy::{Diagnostics, PolicySet};
use crate::settings::Settings;

use folder::{Prints, Reading};
use outside::Outside;

pub use last_good::LastGood;
pub use own_kinds::own_kinds;
pub(super) use watch::watch;

/// How many errors of a refused folder are logged at the start; `policy check` shows all.
const LOGGED_MAX: usize = 10;

/// A policy set could not be loaded: every problem, with file, line and column.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.render(false))]
pub struct PolicyError(pub Diagnostics);

/// Reads every `*.toml` in a folder of policies, in the order of their names, checks and tests them. Gives
/// what is worth knowing beside the set. Secrets that are not at hand here are done without.
///
/// # Errors
/// Everything that is wrong; also that the folder or a file cannot be read.
pub fn check_policies(
    dir: &Path,
    units: &BTreeMap<UnitCode, Unit>,
) -> Result<(PolicySet, Diagnostics), PolicyError> {
    let read = folder::read(dir, units, &Outside::at_hand());
    read.result.map_err(PolicyError)
}

/// As [`check_policies`], as the daemon does it: with all secrets, and asking only these hosts.
///
/// # Errors
/// As [`check_policies`]; also that a secret cannot be had.
pub fn check_policies_and_secrets(
    dir: &Path,
    units: &BTreeMap<UnitCode, Unit>,
    hosts: &[String],
) -> Result<(PolicySet, Diagnostics), PolicyError> {
    let read = folder::read(dir, units, &Outside::of_daemon(hosts));
    read.result.map_err(PolicyError)
}

/// As [`check_policies`], with a policy file from elsewhere: in the place of the one with its id, or beside
/// them all. Also gives its id. Its list files are looked for beside it.
///
/// # Errors
/// As [`check_policies`].
pub fn check_policies_with(
    dir: &Path,
    file: &Path,
    units: &BTreeMap<UnitCode, Unit>,
) -> Result<(PolicySet, Arc<str>), PolicyError> {
    folder::read_with(dir, file, units, &Outside::at_hand()).map_err(PolicyError)
}

/// A daemon's folder of policies, and what it last saw there.
pub(super) struct PolicyFolder {
    dir: PathBuf,
    units: BTreeMap<UnitCode, Unit>,
    outside: Outside,
    /// Where the last good set is kept.
    kept_in: PathBuf,
    /// What the last good set was made of, by its digest, once it is kept.
    kept: Mutex<Option<[u8; 32]>>,
    /// The files as they were when they were read last.
    seen: Mutex<Prints>,
}

impl PolicyFolder {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            dir: settings.policies.dir.clone(),
            units: settings.units.clone(),
            outside: Outside::of_daemon(&settings.callouts.hosts),
            kept_in: LastGood::path(&settings.journal.dir),
            kept: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    /// The policies to begin with: the folder's, or, where those are wrong and it is allowed, the last good
    /// ones. And what has to be kept once there is a place for it.
    ///
    /// # Errors
    /// The folder's policies are wrong, and there are no others to begin with.
    pub(super) fn start(
        self: &Arc<Self>,
        with_last_good: bool,
        now: Timestamp,
    ) -> Result<(StartingPolicies, Option<LastGood>), PolicyError> {
        let (result, good) = self.read(now);
        let (set, origin, found) = match result {
            Ok((set, hints)) => {
                tracing::info!(
                    policy.set = %set.hash(),
                    policy.count = set.policies().count(),
                    policy.hints = hints.iter().count(),
                    "policies loaded"
                );
                (set, PolicyOrigin::Folder, hints)
            }
            Err(errors) => match self.last_good().filter(|_| with_last_good) {
                Some((kept, set)) => {
                    tracing::error!(
                        policy.wrong = %errors.places(LOGGED_MAX),
                        policy.set = %set.hash(),
                        policy.count = set.policies().count(),
                        policy.kept_at = %kept.kept_at,
                        "policies refused, starting on the last good ones: `bookgate policy check` says what is wrong"
                    );
                    (set, PolicyOrigin::LastGood, errors)
                }
                None => return Err(PolicyError(errors)),
            },
        };
        let folder = Arc::clone(self);
        let start = StartingPolicies {
            set: Arc::new(set),
            origin,
            found,
            read: Box::new(move |now| {
                let (result, good) = folder.read(now);
                if let Some(good) = good {
                    folder.keep(&good);
                }
                result
            }),
        };
        Ok((start, good))
    }

    fn read(&self, now: Timestamp) -> (folder::Checked, Option<LastGood>) {
        let Reading {
            result,
            files,
            lists,
            prints,
        } = folder::read(&self.dir, &self.units, &self.outside);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = prints;
        let good = result.as_ref().ok();
        let good = good.map(|(set, _)| LastGood::new(set.hash(), files, lists, now));
        (result, good)
    }

    fn last_good(&self) -> Option<(LastGood, PolicySet)> {
        let kept = match LastGood::read(&self.kept_in) {
            Ok(kept) => kept?,
            Err(error) => {
                tracing::warn!(%error, "the last good policies cannot be read back");
                return None;
            }
        };
        match kept.load(&self.dir, &self.units, &self.outside) {
            Ok((set, _)) => Some((kept, set)),
            Err(errors) => {
                let wrong = errors.places(LOGGED_MAX);
                tracing::warn!(policy.wrong = %wrong, "the last good policies are good no more");
                None
            }
        }
    }

    /// Keeps the set that has just been found good, for a start while the folder is not.
    pub(super) fn keep(&self, good: &LastGood) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = good.digest();
        if *kept == Some(digest) {
            return;
        }
        match good.write(&self.kept_in) {
            Ok(()) => *kept = Some(digest),
            Err(error) => tracing::warn!(
                %error,
                file = %self.kept_in.display(),
                "the policies are in force but could not be kept: a start on a broken folder would not find them"
            ),
        }
    }

    /// The files as they are now.
    fn look(&self) -> Prints {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = seen.lists();
        drop(seen);
        Prints::of(&self.dir, lists)
    }

    /// Whether these are the files that were read last.
    fn is_known(&self, prints: &Prints) -> bool {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == *prints
    }
}
