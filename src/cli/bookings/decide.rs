//! `bookings decide`: a person's word, carried to a daemon. Only a daemon has what it takes: the rules of
//! the source, and what its provider can do.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::named::{BookingArgs, Named, with_sources};
use crate::cli::reach::{self, WriteArgs};
use crate::cli::text::plain;
use crate::cli::{Context, print_json, wait_for};

/// What `bookings decide` takes. The two words are one group, so that neither is suggested alone.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("word").required(true).args(["accept", "refuse"])))]
#[command(mut_arg("admin_url", reach::only_a_daemon))]
pub(in crate::cli) struct DecideArgs {
    #[command(flatten)]
    booking: BookingArgs,
    /// Let it stand
    #[arg(long)]
    accept: bool,
    /// Refuse it, for this reason; the booker is told
    #[arg(long, visible_alias = "reject", value_name = "REASON")]
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
    let Named { source, uid, seat } = args.booking.named()?;
    let seat = args.seat.as_deref().or(seat);
    let body = match &args.refuse {
        Some(reason) => json!({"accept": false, "reason": reason, "seat": seat}),
        None => json!({
            "accept": true,
            "waive_credits": args.waive_credits,
            "seat": seat,
        }),
    };
    let endpoint = reach::to_daemon(&args.place, context)?;
    let path = ["v1", "bookings", source, uid, "decision"];
    let booking = wait_for(endpoint.post(&path, None, Some(&body)))
        .map_err(|error| with_sources(error, source, context))?
        .body;
    if json {
        return print_json(&booking, context);
    }
    let word = match args.refuse {
        Some(_) => "refused",
        None => "accepted",
    };
    let by = decided_by(&booking);
    let booking = plain(&format!("{source}/{uid}"));
    Ok(writeln!(
        context.out,
        "{booking} is {word}{by}; `bookgate bookings show {booking_args}` tells what the provider says",
        booking_args = plain(&format!("{source} {uid}"))
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
