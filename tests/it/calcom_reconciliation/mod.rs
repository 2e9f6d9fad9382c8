//! What Cal.com has is gone through and compared: its webhooks come once or never, and nobody sends
//! them again.

mod differences;
mod held_past;
mod pages;
mod reading_again;
mod unheard;

use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::Operation;
use serde_json::Value;

use crate::harness::{Installation, Setup};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Goes through everything four times an hour.
fn reconciling() -> Setup {
    Setup {
        reconcile_ms: 15 * MINUTE_MS,
        ..Setup::default()
    }
}

/// Has a run made now; gives what it did with Cal.com.
async fn reconcile(it: &Installation) -> Value {
    it.run_job("reconcile").await["sources"]["calcom"].clone()
}

/// How many were compared, followed, and left as they are known.
fn counts(report: &Value) -> [i64; 3] {
    ["checked", "repaired", "deferred"].map(|what| report[what].as_i64().unwrap())
}

/// What was asked since there had been so many calls.
fn asked_since(it: &Installation, before: usize) -> Vec<Operation> {
    let calls = it.cal.calls();
    calls[before..].iter().map(|call| call.operation).collect()
}

async fn status(it: &Installation, uid: &Uid) -> String {
    let booking = it.booking(uid).await;
    booking["status"].as_str().unwrap().to_owned()
}
