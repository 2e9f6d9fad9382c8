//! Notices that policies have changed, and has them read. The file system may say so itself, and then it is
//! noticed at once; but what counts is how the files look, because not every file system does (NFS), and an
//! event may get lost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use file_events::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::PolicyFolder;
use super::folder::Prints;
use crate::gate::{Gate, ReloadCause};

/// How long nothing may change before files are read: editors, `git pull` and `cp` write one after another.
const QUIET: Duration = Duration::from_millis(300);
/// How often to wait for that. Files that never rest are read all the same.
const WAITS_MAX: usize = 20;

/// Has policies read whenever they have changed, until `shutdown` is cancelled. Looks after an event, and
/// at least this often.
pub(super) async fn watch(
    folder: &Arc<PolicyFolder>,
    gate: &Gate,
    every: Duration,
    shutdown: &CancellationToken,
) {
    let bell = Arc::new(Notify::new());
    let mut _listening = listen(&folder.dir, &bell);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = bell.notified() => {}
            () = folder.mirror.news.notified() => {}
            () = tokio::time::sleep(every) => {}
        }
        if !has_changed(folder, gate).await {
            continue;
        }
        if let Err(error) = gate.reload_policies(ReloadCause::Change).await {
            tracing::error!(%error, "changed policies could not be read");
        }
        // The folder itself may be another one now.
        _listening = listen(&folder.dir, &bell);
    }
}

/// Whether there is something else to read than last time, and nobody is writing any more.
async fn has_changed(folder: &Arc<PolicyFolder>, gate: &Gate) -> bool {
    let is_known = |prints: &Prints| folder.is_known(prints) && !gate.has_read_policies_in_vain();
    let Some(mut before) = look(folder).await else {
        return false;
    };
    if is_known(&before) {
        return false;
    }
    for _ in 0..WAITS_MAX {
        tokio::time::sleep(QUIET).await;
        let Some(now) = look(folder).await else {
            return false;
        };
        if now == before {
            break;
        }
        before = now;
    }
    !is_known(&before)
}

/// The files as they are now. On a thread of its own: a network's file system may take its time.
async fn look(folder: &Arc<PolicyFolder>) -> Option<Prints> {
    let folder = Arc::clone(folder);
    tokio::task::spawn_blocking(move || folder.look())
        .await
        .ok()
}

/// Rings the bell at each change that the file system tells of, as long as what this gives is held.
fn listen(dir: &Path, bell: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let bell = Arc::clone(bell);
    let ring = move |event: file_events::Result<Event>| {
        // Reading is no change, and it is what this leads to.
        if !matches!(
            event,
            Ok(Event {
                kind: EventKind::Access(_),
                ..
            })
        ) {
            bell.notify_one();
        }
    };
    let listening = file_events::recommended_watcher(ring).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    listening
        .inspect_err(|error| {
            tracing::info!(%error, "no events for the policies' folder: it is looked at from time to time");
        })
        .ok()
}
