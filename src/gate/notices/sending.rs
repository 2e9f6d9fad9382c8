//! Hands over what waits: one loop for each receiver, so that none waits for another. Several daemons
//! share a queue, and each notice is sent by one of them at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Outlet;
use crate::domain::clock::{Timestamp, ms_between, plus_ms};
use crate::gate::Inner;
use crate::gate::error::put_off;
use crate::notify::Told;
use crate::storage::StorageError;
use crate::storage::records::WaitingNotice;

/// Notices under way to one receiver at the same time.
const BATCH_MAX: u32 = 8;
/// The longest sleep without looking at the queue, in ms.
const LOOK_MS_MAX: i64 = 1_000;
/// How long past its timeout a notice counts as being sent, in ms: time for the store to hear of it.
const LEASE_GRACE_MS: i64 = 30_000;
/// The waits after each try but the last, in ms: two days in all.
const WAITS_MS: [i64; 10] = [
    5_000,
    30_000,
    2 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    16 * HOUR_MS,
];
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How long a notice is kept that nobody takes, in ms.
const KEPT_MS: i64 = 30 * 24 * HOUR_MS;
/// How many of those one transaction forgets at most.
const FORGET_MAX: u32 = 500;

/// Sends until `shutdown` is cancelled. What is under way then is left to the next start: it will be
/// sent again, under the same id.
pub(in crate::gate) async fn run(gate: &Arc<Inner>, shutdown: &CancellationToken) {
    let tasks = TaskTracker::new();
    for outlet in &gate.notices.outlets {
        let (gate, outlet) = (Arc::clone(gate), Arc::clone(outlet));
        tasks.spawn(keep_sending(gate, outlet, shutdown.clone()));
    }
    tasks.close();
    tasks.wait().await;
}

async fn keep_sending(gate: Arc<Inner>, outlet: Arc<Outlet>, shutdown: CancellationToken) {
    let mut forget_at = gate.now();
    while !shutdown.is_cancelled() && !outlet.is_gone() {
        let rest_ms = match turn(&gate, &outlet, &mut forget_at, &shutdown).await {
            Ok(rest_ms) => rest_ms,
            Err(error) => {
                put_off(&error, "notices wait");
                LOOK_MS_MAX
            }
        };
        let rest = Duration::from_millis(u64::try_from(rest_ms).unwrap_or(0));
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = outlet.bell.notified() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Sends what is due; returns for how many ms there is nothing to do.
async fn turn(
    gate: &Arc<Inner>,
    outlet: &Arc<Outlet>,
    forget_at: &mut Timestamp,
    shutdown: &CancellationToken,
) -> Result<i64, StorageError> {
    let now = gate.now();
    if *forget_at <= now {
        *forget_at = plus_ms(now, HOUR_MS);
        let before = plus_ms(now, -KEPT_MS);
        gate.storage
            .write(move |tx| Box::pin(async move { tx.forget_notices(before, FORGET_MAX).await }))
            .await?;
    }
    let Some(due) = next_due(gate, outlet).await? else {
        return Ok(LOOK_MS_MAX);
    };
    let wait_ms = ms_between(gate.now(), due);
    if wait_ms > 0 {
        return Ok(wait_ms.min(LOOK_MS_MAX));
    }
    let taking = gate.leasing.lock().await;
    let claimed = claim(gate, outlet).await?;
    if claimed.is_empty() {
        return Ok(LOOK_MS_MAX);
    }
    gate.changed(|activity| activity.working += 1);
    drop(taking);
    let all = join_all(claimed.iter().map(|notice| hand_over(gate, outlet, notice)));
    tokio::select! {
        _ = all => {}
        () = shutdown.cancelled() => give_back(gate, &claimed).await,
    }
    gate.changed(|activity| activity.working -= 1);
    Ok(0)
}

async fn next_due(gate: &Inner, outlet: &Arc<Outlet>) -> Result<Option<Timestamp>, StorageError> {
    let outlet = Arc::clone(outlet);
    gate.storage
        .read(move |tx| Box::pin(async move { tx.next_notice_due(outlet.receiver.name()).await }))
        .await
}

async fn claim(gate: &Inner, outlet: &Arc<Outlet>) -> Result<Vec<WaitingNotice>, StorageError> {
    let (outlet, now) = (Arc::clone(outlet), gate.now());
    let lease_ms = outlet.receiver.timeout_ms() + LEASE_GRACE_MS;
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                let name = outlet.receiver.name();
                tx.claim_notices(name, now, lease_ms, BATCH_MAX).await
            })
        })
        .await
}

/// Makes one attempt and writes down what came of it.
async fn hand_over(gate: &Inner, outlet: &Arc<Outlet>, notice: &WaitingNotice) {
    let receiver = &outlet.receiver;
    let told = receiver
        .send(&notice.message, &notice.body, gate.now())
        .await;
    gate.metrics.notice(receiver.name(), result(&told));
    let after = match &told {
        Told::Taken { .. } => {
            tracing::debug!(
                notice.receiver = receiver.name(),
                notice.id = notice.message,
                "told"
            );
            After::Taken
        }
        Told::Gone => {
            // Once; the others under way at this moment hear the same.
            if !outlet.gone.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    notice.receiver = receiver.name(),
                    "HTTP 410: the receiver wants no notices any more; they wait until bookgate starts again"
                );
            }
            After::Again(gate.now(), None)
        }
        Told::Refused { wait_ms, .. } => next(gate, outlet, notice, *wait_ms, &told),
        Told::Unanswered(_) => next(gate, outlet, notice, None, &told),
    };
    if let Err(error) = write_down(gate, outlet, notice, after, told.to_string()).await {
        // It is sent again once its time is over, under the same id.
        put_off(&error, "what came of a notice could not be noted");
    }
}

/// What becomes of a notice.
enum After {
    /// It is over.
    Taken,
    /// It is sent again then; and nothing else before the second time, if the receiver asks for that.
    Again(Timestamp, Option<Timestamp>),
    /// It was the last try.
    GivenUp,
}

fn next(
    gate: &Inner,
    outlet: &Outlet,
    notice: &WaitingNotice,
    asked_ms: Option<i64>,
    told: &Told,
) -> After {
    let receiver = outlet.receiver.name();
    let Some(wait_ms) = wait_after(&notice.message, notice.tries) else {
        gate.metrics.notice(receiver, "given_up");
        tracing::error!(
            notice.receiver = receiver,
            notice.id = notice.message,
            attempts = notice.tries,
            error = %told,
            "a notice was given up"
        );
        return After::GivenUp;
    };
    tracing::warn!(
        notice.receiver = receiver,
        notice.id = notice.message,
        attempt = notice.tries,
        error = %told,
        "a notice was not taken; it is sent again"
    );
    let now = gate.now();
    let alone = asked_ms.map(|ms| plus_ms(now, ms));
    let again = plus_ms(now, wait_ms);
    After::Again(alone.map_or(again, |alone| alone.max(again)), alone)
}

/// The wait after the `tries`th try, in ms; `None` after the last. Up to a fifth is added, as the notice's
/// own id has it, so that those which failed together do not come back together.
fn wait_after(message: &str, tries: i64) -> Option<i64> {
    let index = usize::try_from(tries - 1).unwrap_or(0);
    let wait = WAITS_MS.get(index)?;
    let spread = message
        .bytes()
        .fold(0, |sum: i64, byte| (sum * 31 + i64::from(byte)) % 1_000);
    Some(wait + wait / 5 * spread / 1_000)
}

async fn write_down(
    gate: &Inner,
    outlet: &Arc<Outlet>,
    notice: &WaitingNotice,
    after: After,
    detail: String,
) -> Result<(), StorageError> {
    let (outlet, notice) = (Arc::clone(outlet), notice.clone());
    gate.storage
        .write(move |tx| {
            Box::pin(async move {
                match after {
                    After::Taken => tx.notice_taken(&notice).await.map(drop),
                    After::GivenUp => tx.notice_again(&notice, None, &detail).await.map(drop),
                    After::Again(due, alone) => {
                        tx.notice_again(&notice, Some(due), &detail).await?;
                        match alone {
                            Some(until) => {
                                tx.hold_back_notices(outlet.receiver.name(), until).await
                            }
                            None => Ok(()),
                        }
                    }
                }
            })
        })
        .await
}

async fn give_back(gate: &Inner, claimed: &[WaitingNotice]) {
    let (claimed, now) = (claimed.to_vec(), gate.now());
    let given: Result<(), StorageError> = gate
        .storage
        .write(move |tx| {
            Box::pin(async move {
                for notice in &claimed {
                    let detail = "bookgate stopped before an answer came";
                    tx.notice_again(notice, Some(now), detail).await?;
                }
                Ok(())
            })
        })
        .await;
    if let Err(error) = given {
        put_off(
            &error,
            "notices could not be given back; their time runs out by itself",
        );
    }
}

fn result(told: &Told) -> &'static str {
    match told {
        Told::Taken { .. } => "taken",
        Told::Gone => "gone",
        Told::Refused { .. } => "refused",
        Told::Unanswered(_) => "unanswered",
    }
}

impl Inner {
    /// Whether no notice is due to anybody who still takes some.
    pub(in crate::gate) async fn no_notice_due(&self) -> bool {
        for outlet in self
            .notices
            .outlets
            .iter()
            .filter(|outlet| !outlet.is_gone())
        {
            match next_due(self, outlet).await {
                Ok(due) if due.is_none_or(|at| at > self.now()) => {}
                _ => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_come_to_an_end() {
        let waits = (1..).map_while(|tries| wait_after("msg_0a1b", tries));
        let waits: Vec<i64> = waits.collect();
        assert_eq!(waits.len(), WAITS_MS.len());
        assert!(waits.is_sorted(), "{waits:?}");
        for (wait, least) in waits.iter().zip(WAITS_MS) {
            assert!((least..=least + least / 5).contains(wait), "{wait}");
        }
        assert_ne!(wait_after("msg_1", 3), wait_after("msg_2", 3));
    }
}
