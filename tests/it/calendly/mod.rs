//! What people do at Calendly, and what becomes of it: each flow told against the stand-in with all its
//! weaknesses, over real HTTP and with real signatures.

mod basics;
mod copies;
mod groups;
mod lenience;
mod matching;
mod moves;
mod orders;
mod reconciliation;
mod signatures;
mod subscriptions;

use serde_json::Value;

use crate::harness::{Calendly, Installation, Setup};

/// An installation with a source of Calendly.
fn calendly(calendly: Calendly) -> Setup {
    Setup {
        calendly: Some(calendly),
        ..Setup::default()
    }
}

fn plain() -> Setup {
    calendly(Calendly::default())
}

/// How many decisions a booking's chain has.
fn decisions(booking: &Value) -> usize {
    booking["decisions"].as_array().unwrap().len()
}

/// The lines of Ada's statement, oldest first: kind and amount.
async fn statement(it: &Installation) -> Vec<String> {
    let (status, page) = it.get("/v1/accounts/ada@reader.example/entries").await;
    assert_eq!(status, 200, "{page}");
    let lines = page["items"].as_array().unwrap().iter().rev();
    let told = |line: &Value| {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        format!("{} {} {}", text("kind"), text("layer"), text("amount"))
    };
    lines.map(told).collect()
}
