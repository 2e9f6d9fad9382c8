//! `bookings`: which there are, everything that is known about one, and deciding what is left to a person.

mod decide;
mod explain;
mod named;
mod show;

use clap::{Args, Subcommand};

use self::named::{BookingArgs, Named};
use super::page::{PageArgs, print_page};
use super::text::{or_dash, second};
use super::when::When;
use super::{Context, print_json, reach};
use crate::domain::decision::Outcome;
use crate::gate::{BookingLine, BookingsAsked, Desk};
use crate::settings::{Extent, Settings};

/// Commands about bookings.
#[derive(Debug, Subcommand)]
pub(super) enum BookingsCommand {
    /// Show one booking: where it stands, what was decided and why, what the provider was told
    #[command(after_help = "\
Examples:
  bookgate bookings show calcom 4711
  bookgate bookings show calcom/8wX2kQvNn3TzRb5mLpYc1d
  bookgate bookings show calcom 4711 --json | jq '.decisions[].trace'

Also beside a running daemon. Exits with 3 if there is no such booking.")]
    Show(BookingArgs),
    /// Explain what was decided on a booking, from what was kept with it, and decide it again to compare
    #[command(after_help = "\
Examples:
  bookgate bookings explain calcom 4711
  bookgate bookings explain calcom 8wX2kQvNn3TzRb5mLpYc1d --json | jq '.decisions[].remade'

Which facts the policies looked at, which of them had a word, and what each
criterion asked and found. Then the same texts judge the same facts again:
verdict and trace have to be the same, bit for bit; if not, it says what differs.
The files of the policies need not be there any more, and nothing is changed.

Also beside a running daemon. Exits with 3 if there is no such booking.")]
    Explain(BookingArgs),
    /// List bookings, latest change first
    #[command(after_help = "\
Examples:
  bookgate bookings list
  bookgate bookings list --outcome defer
  bookgate bookings list --booker ada@example.org --limit 10
  bookgate bookings list --status accepted --starts-since 2027-03-01
  bookgate bookings list --json | jq -r '.items[].uid'

Also beside a running daemon. `--outcome defer` lists what waits for a person.")]
    List(ListArgs),
    /// Decide a booking that was left to a person
    #[command(after_help = "\
Examples:
  bookgate bookings list --outcome defer
  bookgate bookings decide calcom 4711 --accept
  bookgate bookings decide calcom/8wX2kQvNn3TzRb5mLpYc1d --accept --waive-credits
  bookgate bookings decide calcom 4711 --refuse \"We are closed that week.\"

An accepted booking costs what its policy says (`bookings show` tells), held and
spent as after an acceptance by policy. If the booker cannot pay, it is refused
here until the account is topped up or the price is waived. A refusal tells the
booker the reason. One occurrence of a series decides the whole series.

It is carried out by a running daemon. The same decision again changes nothing.
Fails with 1 if the booking is not left to a person (any more), and says why.")]
    Decide(decide::DecideArgs),
}

/// Which bookings.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// In this state, such as pending, accepted or cancelled
    #[arg(long)]
    status: Option<String>,
    /// With this decision: accept, reject or defer
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Of this booker
    #[arg(long, value_name = "EMAIL")]
    booker: Option<String>,
    /// Changed at this time or later: 2027-03-01T00:00:00Z, 2027-03-01 (from
    /// its beginning, UTC), or 14d (so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Changed before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// That start at this time or later; +7d is in seven days
    #[arg(long, value_name = "TIME")]
    starts_since: Option<When>,
    /// That start before this time
    #[arg(long, value_name = "TIME")]
    starts_until: Option<When>,
    #[command(flatten)]
    page: PageArgs,
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let all = [Outcome::Accept, Outcome::Reject, Outcome::Defer];
    let found = all.into_iter().find(|outcome| outcome.as_str() == text);
    found.ok_or_else(|| "accept, reject or defer".to_owned())
}

/// Runs one of the commands.
pub(super) fn run(
    command: BookingsCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        BookingsCommand::Show(args) => {
            let Named { source, uid, .. } = args.named()?;
            let asking = async |desk: &Desk| desk.booking(source, uid).await;
            let view = reach::read(context, asking)
                .map_err(|error| named::with_sources(error, source, context))?;
            if json {
                return print_json(&view, context);
            }
            show::print(&view, &mut *context.out)
        }
        BookingsCommand::Explain(args) => {
            let Named { source, uid, .. } = args.named()?;
            let asking = async |desk: &Desk| desk.explain_booking(source, uid).await;
            let view = reach::read(context, asking)
                .map_err(|error| named::with_sources(error, source, context))?;
            if json {
                return print_json(&view, context);
            }
            let settings = Settings::load_extent(&context.options, Extent::Offline)?;
            explain::write(&view, &settings.units, &mut *context.out)
        }
        BookingsCommand::List(args) => list(args, json, context),
        BookingsCommand::Decide(args) => decide::run(&args, json, context),
    }
}

fn list(args: ListArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let now = context.clock.now();
    let at = |when: Option<When>| when.map(|when| when.at(now));
    let asked = BookingsAsked {
        source: args.source,
        status: args.status,
        outcome: args.outcome,
        booker: args.booker,
        since: at(args.since),
        until: at(args.until),
        starts_since: at(args.starts_since),
        starts_until: at(args.starts_until),
        after: args.page.after,
        limit: Some(args.page.limit),
    };
    let page = reach::read(context, async move |desk| desk.bookings(asked).await)?;
    let header = ["booking", "status", "decision", "start", "booker"];
    let row = |line: &BookingLine| {
        let seat = line.seat.as_ref().map(|seat| format!("/{seat}"));
        let seat = seat.unwrap_or_default();
        [
            format!("{}/{}{seat}", line.source, line.uid),
            line.status.clone(),
            or_dash(line.outcome.map(Outcome::as_str)),
            or_dash(line.start.map(second)),
            or_dash(line.booker.as_ref()),
        ]
    };
    print_page(&page, json, "no bookings", header, row, context)
}
