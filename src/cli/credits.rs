//! `credits`: what an account has, and putting credit on it.

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::page::{PageArgs, print_page};
use super::reach::{self, Reached, WriteArgs};
use super::text::second;
use super::when::When;
use super::{Context, NotFound, UsageError, print_json, refused, text, wait_for};
use crate::gate::{Actor, BalanceView, CreditKind, CreditRequest, EntriesAsked, EntryView};
use crate::settings::SettingsError;

/// Commands about accounts.
#[derive(Debug, Subcommand)]
pub(super) enum CreditsCommand {
    /// Show an account's balances
    #[command(after_help = "\
Examples:
  bookgate credits show ada@example.org
  bookgate credits show ada@example.org --json | jq -r '.balances[0].available'

Also beside a running daemon. Exits with 3 if there is no such account.")]
    Show(ShowArgs),
    /// List what moved on an account, newest first
    #[command(after_help = "\
Examples:
  bookgate credits entries ada@example.org
  bookgate credits entries ada@example.org --kind refund --since 30d

Also beside a running daemon. Exits with 3 if there is no such account.")]
    Entries(EntriesArgs),
    /// Put credit on an account; the account is made if there is none
    #[command(after_help = "\
Examples:
  bookgate credits top-up ada@example.org 5
  bookgate credits top-up ada@example.org 2.50 --unit CREDIT --reason March
  bookgate credits top-up ada@example.org 5 --idempotency-key invoice-2031
  bookgate credits top-up ada@example.org 5 --admin-url http://10.0.0.7:8081

One key is one top-up, however often it is sent. If it is open whether a
top-up was done, repeat it with the key that was printed.

A running daemon wants a token with the role credits or admin.")]
    TopUp(Box<TopUpArgs>),
    /// Take credit off an account that should not be there, such as a mistaken top-up
    #[command(after_help = "\
Examples:
  bookgate credits deduct ada@example.org 45 --reason \"typed 50 for 5\"

No more than is available: what is held for bookings stays. Keys are as for
top-ups.

A running daemon wants a token with the role admin.")]
    Deduct(Box<DeductArgs>),
}

/// What `credits show` takes.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The owner's e-mail address
    owner: String,
}

/// What `credits entries` takes.
#[derive(Debug, Args)]
pub(super) struct EntriesArgs {
    /// The owner's e-mail address
    owner: String,
    /// In this unit, such as CREDIT
    #[arg(long)]
    unit: Option<String>,
    /// Of this kind: topup, hold, capture, release, refund, carry, expire,
    /// adjust or reverse
    #[arg(long)]
    kind: Option<String>,
    /// Recorded at this time or later: 2027-03-01T00:00:00Z, 2027-03-01 (from
    /// its beginning, UTC), or 14d (so long ago)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Recorded before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    #[command(flatten)]
    page: PageArgs,
}

/// What `credits top-up` takes.
#[derive(Debug, Args)]
pub(super) struct TopUpArgs {
    /// The owner's e-mail address
    owner: String,
    /// How much, such as 5 or 2.50
    amount: String,
    /// Of which unit
    #[arg(long, default_value = "CREDIT")]
    unit: String,
    /// Why; kept with the account's entries
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What makes this top-up the same as another one [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    place: WriteArgs,
}

/// What `credits deduct` takes.
#[derive(Debug, Args)]
pub(super) struct DeductArgs {
    /// The owner's e-mail address
    owner: String,
    /// How much, such as 5 or 2.50
    amount: String,
    /// Of which unit
    #[arg(long, default_value = "CREDIT")]
    unit: String,
    /// Why; kept with the account's entries
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What makes this deduction the same as another one [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    place: WriteArgs,
}

/// An account, as the admin endpoint and the desk show it.
#[derive(Deserialize)]
struct Account {
    owner: String,
    status: String,
    balances: Vec<BalanceView>,
}

/// Runs one of the commands.
pub(super) fn run(
    command: CreditsCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        CreditsCommand::Show(args) => show(&args, json, context),
        CreditsCommand::Entries(args) => entries(args, json, context),
        CreditsCommand::TopUp(args) => top_up(*args, json, context),
        CreditsCommand::Deduct(args) => deduct(*args, json, context),
    }
}

fn show(args: &ShowArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let account = reach::read(context, async |desk| desk.account(&args.owner).await)?;
    if json {
        return print_json(&account, context);
    }
    print(serde_json::to_value(account)?, context)
}

fn entries(args: EntriesArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let now = context.clock.now();
    let asked = EntriesAsked {
        unit: args.unit,
        kind: args.kind,
        since: args.since.map(|when| when.at(now)),
        until: args.until.map(|when| when.at(now)),
        after: args.page.after,
        limit: Some(args.page.limit),
    };
    let owner = args.owner;
    let page = reach::read(context, async move |desk| desk.entries(&owner, asked).await)?;
    let header = [
        "at",
        "what",
        "layer",
        "amount",
        "unit",
        "after",
        "by whom, on what: why",
    ];
    let row = |entry: &EntryView| {
        let after = match entry.layer {
            "held" => &entry.held_after,
            _ => &entry.posted_after,
        };
        [
            second(entry.recorded_at),
            entry.kind.clone(),
            entry.layer.to_owned(),
            entry.amount.clone(),
            entry.unit.clone(),
            after.clone(),
            told_of(entry),
        ]
    };
    print_page(&page, json, "nothing has moved", header, row, context)
}

/// Who moved it, for which booking, and why: what there is of it.
fn told_of(entry: &EntryView) -> String {
    let booking = entry.booking.iter().map(|booking| format!(", {booking}"));
    let reason = entry.reason.iter().map(|reason| format!(": {reason}"));
    let parts: String = booking.chain(reason).collect();
    format!("{}{parts}", entry.actor)
}

fn top_up(args: TopUpArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let request = CreditRequest {
        kind: CreditKind::TopUp,
        owner: args.owner,
        amount: args.amount,
        unit: args.unit,
        reason: args.reason,
        metadata: None,
        idempotency_key: args.idempotency_key.unwrap_or_else(new_key),
        actor: Actor::new(""),
    };
    change(request, &args.place, json, context)
}

fn deduct(args: DeductArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let request = CreditRequest {
        kind: CreditKind::Deduction,
        owner: args.owner,
        amount: args.amount,
        unit: args.unit,
        reason: Some(args.reason),
        metadata: None,
        idempotency_key: args.idempotency_key.unwrap_or_else(new_key),
        actor: Actor::new(""),
    };
    change(request, &args.place, json, context)
}

fn new_key() -> String {
    Uuid::now_v7().to_string()
}

fn change(
    request: CreditRequest,
    place: &WriteArgs,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let (kind, key) = (request.kind, request.idempotency_key.clone());
    let done = wait_for(send(request, place, context));
    let (replayed, body) = done.map_err(|error| with_key(error, &key))?;
    if json {
        let answer = json!({"idempotency_key": key, "replayed": replayed, "account": body});
        return print_json(&answer, context);
    }
    let done = match (replayed, kind) {
        (true, CreditKind::TopUp) => {
            "this top-up was done before, and is not done again; the account then:"
        }
        (true, CreditKind::Deduction) => {
            "this deduction was done before, and is not done again; the account then:"
        }
        (false, _) => "done; the account now:",
    };
    writeln!(context.out, "idempotency key {key}\n{done}\n")?;
    print(body, context)
}

/// The cause, and then the key where it may be of use: what was refused as it stands was not done, and another
/// try begins anew.
fn with_key(error: anyhow::Error, key: &str) -> anyhow::Error {
    if error.is::<UsageError>() || error.is::<NotFound>() || error.is::<SettingsError>() {
        return error;
    }
    anyhow!("{error:#} (idempotency key {key}: with the same one, nothing is done twice)")
}

/// Has the change made; whether it was made before, and the account.
async fn send(
    request: CreditRequest,
    place: &WriteArgs,
    context: &Context<'_>,
) -> anyhow::Result<(bool, Value)> {
    match reach::to_write(place, context).await? {
        Reached::Store(store) => {
            let actor = store.actor.clone();
            let request = CreditRequest { actor, ..request };
            let answer = store.desk.change_credit(request).await;
            store.close().await;
            let answer = answer.map_err(refused)?;
            Ok((answer.replayed, answer.body))
        }
        Reached::Daemon(endpoint) => {
            let what = match request.kind {
                CreditKind::TopUp => "top-ups",
                CreditKind::Deduction => "deductions",
            };
            let path = ["v1", "accounts", &request.owner, what];
            let body = json!({
                "amount": request.amount,
                "unit": request.unit,
                "reason": request.reason,
            });
            let key = Some(request.idempotency_key.as_str());
            let answer = endpoint.post(&path, key, Some(&body)).await?;
            Ok((answer.replayed, answer.body))
        }
    }
}

fn print(account: Value, context: &mut Context<'_>) -> anyhow::Result<()> {
    let account: Account = serde_json::from_value(account).context("the account cannot be read")?;
    let owner = text::plain(&account.owner);
    writeln!(context.out, "{owner}, {}", text::plain(&account.status))?;
    let rows: Vec<_> = account
        .balances
        .into_iter()
        .map(|balance| {
            let unit = balance.unit.to_string();
            [unit, balance.posted, balance.held, balance.available]
        })
        .collect();
    let header = ["unit", "posted", "held", "available"];
    Ok(text::table(&mut *context.out, header, &rows)?)
}
