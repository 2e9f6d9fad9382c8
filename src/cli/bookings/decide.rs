//! `bookings decide`: a person's word, carried to a daemon. Only a daemon has what it takes: the rules of
//! the source, and what its provider can do.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::reach::{self, WriteArgs};
use crate::cli::text::plain;
use crate::cli::{Context, print_json, wait_for};

/// What `bookings decide` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct DecideArgs {
    /// The source, as it is called in the settings
    source: String,
    /// The booking's uid or number at the provider
    reference: String,
    /// Let it stand
    #[arg(long, required_unless_present = "refuse", conflicts_with = "refuse")]
    accept: bool,
    /// Refuse it, for this reason; the booker is told
    #[arg(long, value_name = "REASON")]
    refuse: Option<String>,
    /// Let it stand for nothing
    #[arg(long, conflicts_with = "refuse")]
    waive_credits: bool,
    /// Which seat, if the booking has several
    #[arg(long)]
    seat: Option<String>,
    #[command(flatten)]
    place: WriteArgs,
}

/// Has it decided.
pub(super) fn run(args: &DecideArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let (source, reference) = (args.source.as_str(), args.reference.as_str());
    let body = match &args.refuse {
        Some(reason) => json!({"accept": false, "reason": reason, "seat": args.seat}),
        None => json!({
            "accept": true,
            "waive_credits": args.waive_credits,
            "seat": args.seat,
        }),
    };
    let endpoint = reach::to_daemon(&args.place, context)?;
    let path = ["v1", "bookings", source, reference, "decision"];
    let booking = wait_for(endpoint.post(&path, None, Some(&body)))?.body;
    if json {
        return print_json(&booking, context);
    }
    let word = match args.refuse {
        Some(_) => "refused",
        None => "accepted",
    };
    let by = decided_by(&booking);
    let booking = plain(&format!("{source}/{reference}"));
    Ok(writeln!(
        context.out,
        "{booking} is {word}{by}; `bookgate bookings show {booking_args}` tells what the provider says",
        booking_args = plain(&format!("{source} {reference}"))
    )?)
}

/// Who decided it, as the daemon tells: somebody else may have been quicker with the same word.
fn decided_by(booking: &Value) -> String {
    let uid = booking["uid"].as_str().unwrap_or_default();
    let all = booking["decisions"].as_array().into_iter().flatten();
    let mut of_it = all.filter(|one| {
        let unit = one["unit"].as_str();
        unit.is_some_and(|unit| unit.starts_with(uid))
    });
    let by = of_it.next_back().and_then(|one| one["decided_by"].as_str());
    by.map_or_else(String::new, |by| format!(" by {}", plain(by)))
}
