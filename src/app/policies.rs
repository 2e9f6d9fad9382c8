//! Policies, from their folder to a set that may be used: at the start, and whenever they change.

mod copies;
mod folder;
mod last_good;
mod mirror;
mod outside;
mod own_kinds;
mod watch;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::amount::{Unit, UnitCode};
use crate::domain::clock::{Clock, Timestamp};
use crate::gate::{Gate, ListMeter, PolicyOrigin, StartingPolicies};
use crate::policy::{Diagnostics, PolicySet};
use crate::provider::callout::Caller;
use crate::settings::Settings;

use copies::Copies;
use folder::{Prints, Reading};
use mirror::Mirror;
use outside::Outside;

pub use last_good::LastGood;
pub use own_kinds::own_kinds;

/// How many errors of a refused folder are logged at the start; `policy check` shows all.
const LOGGED_MAX: usize = 10;

/// A policy set could not be loaded: every problem, with file, line and column.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.render(false))]
pub struct PolicyError(pub Diagnostics);

/// Reads every `*.toml` in a folder of policies, in the order of their names, checks and tests them. Gives
/// what is worth knowing beside the set. Secrets that are not at hand here are done without, and so are lists of
/// servers that there is no copy of beside the journal.
///
/// # Errors
/// Everything that is wrong; also that the folder or a file cannot be read.
pub fn check_policies(
    dir: &Path,
    settings: &Settings,
) -> Result<(PolicySet, Diagnostics), PolicyError> {
    let outside = Outside::at_hand(Copies::beside(&settings.journal.dir));
    let read = folder::read(dir, &settings.units, &outside);
    read.result.map_err(PolicyError)
}

/// As [`check_policies`], as the daemon does it: with all secrets, and asking only the hosts that it may. No
/// list is fetched.
///
/// # Errors
/// As [`check_policies`]; also that a secret cannot be had.
pub fn check_policies_and_secrets(
    settings: &Settings,
) -> Result<(PolicySet, Diagnostics), PolicyError> {
    let (dir, units) = (&settings.policies.dir, &settings.units);
    let copies = Copies::beside(&settings.journal.dir);
    let outside = Outside::of_daemon(&settings.callouts.hosts, copies);
    let read = folder::read(dir, units, &outside);
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
    settings: &Settings,
) -> Result<(PolicySet, Arc<str>), PolicyError> {
    let outside = Outside::at_hand(Copies::beside(&settings.journal.dir));
    folder::read_with(dir, file, &settings.units, &outside).map_err(PolicyError)
}

/// A daemon's folder of policies, and what it last saw there.
pub(super) struct PolicyFolder {
    dir: PathBuf,
    units: BTreeMap<UnitCode, Unit>,
    outside: Outside,
    mirror: Mirror,
    /// Whether somebody looks for changes, and fetches lists that are due. If not, that is done when the
    /// policies are read.
    is_watched: bool,
    /// Where the last good set is kept.
    kept_in: PathBuf,
    /// What the last good set was made of, by its digest, once it is kept.
    kept: Mutex<Option<[u8; 32]>>,
    /// The files as they were when they were read last.
    seen: Mutex<Prints>,
}

impl PolicyFolder {
    pub(super) fn new(
        settings: &Settings,
        caller: Arc<Caller>,
        clock: Arc<dyn Clock>,
        meter: ListMeter,
    ) -> Arc<Self> {
        let copies = Copies::beside(&settings.journal.dir);
        Arc::new(Self {
            dir: settings.policies.dir.clone(),
            units: settings.units.clone(),
            outside: Outside::of_daemon(&settings.callouts.hosts, copies.clone()),
            mirror: Mirror::new(copies, caller, clock, meter),
            is_watched: settings.policies.look_ms > 0,
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
    pub(super) async fn start(
        self: &Arc<Self>,
        with_last_good: bool,
        now: Timestamp,
    ) -> Result<(StartingPolicies, Option<LastGood>), PolicyError> {
        let (result, good) = self.read(now).await;
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
                let folder = Arc::clone(&folder);
                Box::pin(async move {
                    let (result, good) = folder.read(now).await;
                    if let Some(good) = good {
                        in_background(move || folder.keep(&good)).await;
                    }
                    result
                })
            }),
        };
        Ok((start, good))
    }

    /// Reads the folder. Lists of servers that there is no copy of are fetched, and what has to do without is
    /// wrong.
    async fn read(self: &Arc<Self>, now: Timestamp) -> (folder::Checked, Option<LastGood>) {
        let mut reading = self.read_with(self.outside.clone()).await;
        if reading.result.is_ok() {
            let mut lists = std::mem::take(&mut reading.absent);
            if !self.is_watched {
                // At a start it does not know yet what is wanted.
                self.mirror.want_beside(reading.wanted.clone());
                lists = lists.and(&self.mirror.due());
            }
            if !lists.is_empty() {
                let not_had = self.mirror.fetch(lists).await;
                reading = self.read_with(self.outside.fetched(not_had)).await;
            }
        }
        let Reading {
            result,
            files,
            lists,
            wanted,
            prints,
            absent: _,
        } = reading;
        match &result {
            Ok(_) => self.mirror.want(wanted),
            Err(_) => self.mirror.want_beside(wanted),
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = prints;
        let good = result.as_ref().ok();
        let good = good.map(|(set, _)| LastGood::new(set.hash(), files, lists, now));
        (result, good)
    }

    async fn read_with(self: &Arc<Self>, outside: Outside) -> Reading {
        let folder = Arc::clone(self);
        in_background(move || folder::read(&folder.dir, &folder.units, &outside)).await
    }

    fn last_good(&self) -> Option<(LastGood, PolicySet)> {
        let kept = match LastGood::read(&self.kept_in) {
            Ok(kept) => kept?,
            Err(error) => {
                tracing::warn!(%error, "the last good policies cannot be read back");
                return None;
            }
        };
        let (checked, wanted) = kept.load(&self.dir, &self.units, &self.outside);
        match checked {
            Ok((set, _)) => {
                self.mirror.want_before(wanted);
                Some((kept, set))
            }
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
            Ok(()) => {
                *kept = Some(digest);
                self.mirror.remove_others(good.lists());
            }
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

/// Has policies read whenever they have changed, and fetches the lists that are due, until `shutdown` is
/// cancelled.
pub(super) async fn keep_up(
    folder: Arc<PolicyFolder>,
    gate: Gate,
    every: Duration,
    shutdown: CancellationToken,
) {
    let refreshing = mirror::refresh(&folder.mirror, &shutdown);
    tokio::join!(refreshing, watch::watch(&folder, &gate, every, &shutdown));
}

/// Does what takes its time on a thread where it holds up nobody.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}
