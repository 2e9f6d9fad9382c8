//! `policy explain`: what the policies say of a webhook, step by step, for people who do not program.
//! Nothing is stored, decided or told.

pub(in crate::cli) mod print;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use self::print::{Subject, print};
use crate::app::{check_policies, storage_settings};
use crate::cli::when::When;
use crate::cli::{Context, UsageError, print_json, reach};
use crate::domain::account::AccountStatus;
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::clock::{Clock, Timestamp, plus_ms};
use crate::domain::event::BookingEvent;
use crate::domain::ids::SourceName;
use crate::gate::{Explained, PolicyAsked, asked, explain};
use crate::policy::facts::{AccountFacts, Balance, Facts, Loaded, Need};
use crate::provider::registry::{self, Calling, PROVIDERS, Setup};
use crate::provider::{Parsed, Provider, RawDelivery};
use crate::settings::{Extent, Settings};
use crate::storage::Database;

/// How old an account is that `--balance` makes up, in ms: a year.
const MADE_UP_AGE_MS: i64 = 365 * 24 * 3_600_000;

/// What `policy explain` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// A file with a webhook's body as Cal.com or Calendly sends it; - reads stdin
    #[arg(required_unless_present = "delivery", conflicts_with = "delivery")]
    payload: Option<PathBuf>,
    /// A stored webhook instead: its id in `deliveries list`
    #[arg(long, value_name = "ID")]
    delivery: Option<i64>,
    /// The folder of policies [default: policies.dir of the settings]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// The source it comes from, as in [sources.NAME] [default: the name of its provider]
    #[arg(long, value_name = "NAME", conflicts_with = "delivery")]
    source: Option<String>,
    /// When it was booked: 2027-03-01T00:00:00Z, 2027-03-01 (from its beginning,
    /// UTC), or 2h (so long ago) [default: what the webhook says]
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// What the booker has, such as CREDIT=2.50; repeat it for more units [default: the account in
    /// the database]
    #[arg(long, value_name = "UNIT=AMOUNT")]
    balance: Vec<String>,
    /// The booker has no account
    #[arg(long, conflicts_with = "balance")]
    no_account: bool,
}

/// A webhook's body and the source it came from.
struct Given {
    body: Vec<u8>,
    source: Option<String>,
    at: Option<Timestamp>,
}

/// What is explained, and where its parts come from.
#[derive(Serialize)]
struct Story<'a> {
    provider: &'static str,
    event: &'a BookingEvent,
    /// Where the time comes from that rules about time go by.
    time_from: &'static str,
    /// Where the account comes from.
    account_from: String,
    policies: Vec<PolicyAsked>,
}

/// Explains.
pub(super) fn run(args: &ExplainArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let dir = match &args.dir {
        Some(dir) => context.options.working_dir.join(dir),
        None => settings.policies.dir.clone(),
    };
    let (set, _) = check_policies(&dir, &settings)?;
    let given = given(args, &settings, context)?;
    let (provider, event) = understood(&given.body, context)?;
    let details = event.details.as_deref().cloned().ok_or_else(|| {
        UsageError(format!(
            "this webhook (`{}`) says nothing of when and for whom: policies are asked about a booking \
             that is requested, created or moved",
            event.kind.as_str()
        ))
    })?;
    let (now, time_from) = match (args.at, event.sent_at) {
        (Some(at), _) => (at.at(context.clock.now()), "--at"),
        (None, Some(at)) => (at, "the webhook"),
        (None, None) => match given.at {
            Some(at) => (at, "when the webhook came in"),
            None => (context.clock.now(), "the webhook has none, so it is now"),
        },
    };
    let source = given.source.unwrap_or_else(|| provider.to_owned());
    let facts = Facts {
        origin: event.predecessor.as_ref().map(|from| from.uid.clone()),
        ..Facts::of(now, SourceName::new(source), event.uid.clone(), details)
    };
    let (account, account_from) = account(args, &settings, &facts, context)?;
    let explained = explain(&set, facts, |need, facts| {
        if *need == Need::Account {
            facts.account = match &account {
                Ok(account) => Loaded::Known(account.clone()),
                Err(why) => Loaded::Failed(why.clone()),
            };
        } else if let Err(error) = look_up(need, facts, context) {
            facts.fail(need, &format!("the database cannot be read: {error:#}"));
        }
    });
    let story = Story {
        provider,
        event: &event,
        time_from,
        account_from,
        policies: asked(&set, &explained.facts),
    };
    if json {
        return print_json(&as_json(&story, &explained), context);
    }
    let subject = Subject {
        happened: Some(format!("{} ({provider})", event.kind.as_str())),
        time_from,
        account_from: &story.account_from,
        asked: &story.policies,
        set: Some(&set),
    };
    print(&subject, &explained, &settings.units, &mut *context.out)
}

fn as_json(story: &Story<'_>, explained: &Explained) -> serde_json::Value {
    let verdict = &explained.verdict;
    json!({
        "outcome": explained.outcome,
        "message": explained.message,
        "note": explained.note,
        "failed": verdict.failed,
        "policy": verdict.policy,
        "terms": verdict.terms,
        "trace": verdict.trace,
        "facts": explained.facts,
        "webhook": story,
    })
}

fn given(args: &ExplainArgs, settings: &Settings, context: &Context<'_>) -> anyhow::Result<Given> {
    if let Some(id) = args.delivery {
        let stored = reach::read(context, async |desk| desk.delivery(id).await)?;
        let body = stored
            .body
            .ok_or_else(|| UsageError(format!("retention has removed what delivery {id} was")))?;
        return Ok(Given {
            body: body.into_bytes(),
            source: Some(stored.line.source.to_string()),
            at: Some(stored.line.received_at),
        });
    }
    let path = args.payload.clone().unwrap_or_else(|| PathBuf::from("-"));
    let limit = settings.server.body_bytes_max;
    let mut body = Vec::new();
    if path.as_os_str() == "-" {
        let stdin = std::io::stdin().lock();
        stdin.take(limit + 1).read_to_end(&mut body)?;
    } else {
        let path = context.options.working_dir.join(path);
        let shown = || format!("cannot read {}", path.display());
        let file = std::fs::File::open(&path).with_context(shown)?;
        file.take(limit + 1)
            .read_to_end(&mut body)
            .with_context(shown)?;
    }
    if body.len() as u64 > limit {
        let message = format!("a webhook has at most {limit} bytes (server.body_bytes_max)");
        return Err(UsageError(message).into());
    }
    Ok(Given {
        body,
        source: args.source.clone(),
        at: None,
    })
}

/// Reads a body as the provider whose it is does. Its API is not called, so no key is needed.
fn understood(
    body: &[u8],
    context: &Context<'_>,
) -> anyhow::Result<(&'static str, Box<BookingEvent>)> {
    let mut why = Vec::new();
    for entry in PROVIDERS {
        let provider = reader(entry, &context.clock)?;
        let delivery = RawDelivery {
            body,
            content_type: None,
        };
        match provider.parse(delivery) {
            Parsed::Event(event) => return Ok((entry.name, event)),
            Parsed::Ignored(trigger) => {
                why.push(format!("{}: `{trigger}` asks for no decision", entry.name));
            }
            Parsed::Unparsed(error) => why.push(format!("{}: {error}", entry.name)),
        }
    }
    let why = why.join("\n  ");
    Err(UsageError(format!("this is no webhook about a booking\n  {why}")).into())
}

fn reader(
    entry: &registry::Entry,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Provider>, registry::BuildError> {
    let nobodys_key = ("key".to_owned(), toml::Value::from("none"));
    (entry.build)(Setup {
        api: toml::Table::from_iter([nobodys_key]),
        subscription: None,
        calling: Calling::whatever_comes(Arc::clone(clock)),
    })
}

/// The booker's account, and where it comes from.
fn account(
    args: &ExplainArgs,
    settings: &Settings,
    facts: &Facts,
    context: &Context<'_>,
) -> anyhow::Result<(Result<Option<AccountFacts>, String>, String)> {
    if args.no_account {
        return Ok((Ok(None), "--no-account".to_owned()));
    }
    if !args.balance.is_empty() {
        let account = AccountFacts {
            status: AccountStatus::Open,
            created_at: plus_ms(facts.now, -MADE_UP_AGE_MS),
            balances: balances(&args.balance, &settings.units)?,
        };
        let from = "--balance, as if opened a year before";
        return Ok((Ok(Some(account)), from.to_owned()));
    }
    let Some(booker) = &facts.details.booker.email else {
        return Ok((Ok(None), "the webhook names no booker".to_owned()));
    };
    let store = storage_settings(settings);
    if matches!(&store.database, Database::Sqlite { path, .. } if !path.exists()) {
        let why = "there is no database, and no --balance was given";
        return Ok((Err(why.to_owned()), why.to_owned()));
    }
    match reach::read(context, async |desk| desk.account_facts(booker).await) {
        Ok(account) => Ok((Ok(account), "the database".to_owned())),
        Err(error) => {
            let why = format!("the database cannot be read: {error:#}");
            Ok((Err(why.clone()), why))
        }
    }
}

/// What there is in the database beside the account.
fn look_up(need: &Need, facts: &mut Facts, context: &Context<'_>) -> anyhow::Result<()> {
    let (source, uid) = (facts.source.clone(), facts.uid.clone());
    match need {
        Need::Account => {}
        Need::Tags => {
            let tags = match &facts.details.booker.email {
                Some(booker) => {
                    reach::read(context, async |desk| desk.tags(booker.as_str()).await)?.added_at
                }
                None => BTreeMap::new(),
            };
            facts.know_tags(tags);
        }
        Need::Others(wanted) => {
            let found = reach::read(context, async |desk| {
                desk.other_bookings(&source, &uid, wanted).await
            })?;
            facts.know_others(wanted.clone(), found);
        }
        Need::CodeUses(code) => {
            let uses = reach::read(context, async |desk| {
                desk.uses_of_code(&source, &uid, code).await
            })?;
            facts.know_uses(code.clone(), Loaded::Known(uses));
        }
        // Nobody is asked for an explanation: what was answered when the booking was decided has to do.
        Need::Callout(asker) => {
            let told = reach::read(context, async |desk| {
                desk.explain_booking(source.as_str(), uid.as_str()).await
            });
            let decisions = told.map(|told| told.decisions).unwrap_or_default();
            let explained = decisions.iter().rev().flat_map(|one| &one.explained);
            let mut replies = explained.filter_map(|one| one.facts.reply(asker));
            facts.know_reply(asker.clone(), replies.next().cloned().unwrap_or_default());
        }
    }
    Ok(())
}

fn balances(
    given: &[String],
    units: &BTreeMap<UnitCode, Unit>,
) -> Result<BTreeMap<UnitCode, Balance>, UsageError> {
    let one = |text: &String| {
        let wrong = |why: String| UsageError(format!("--balance {text}: {why}"));
        let (code, amount) = text
            .split_once('=')
            .ok_or_else(|| wrong("write UNIT=AMOUNT, such as CREDIT=2.50".to_owned()))?;
        let unit = units.values().find(|unit| unit.code.as_str() == code);
        let unit = unit.ok_or_else(|| {
            let known: Vec<_> = units.keys().map(UnitCode::as_str).collect();
            wrong(format!(
                "there is no such unit; known: {}",
                known.join(", ")
            ))
        })?;
        let amount = unit
            .parse(amount)
            .map_err(|error| wrong(error.to_string()))?;
        let balance = Balance {
            posted: amount.minor,
            held: 0,
            available: amount.minor,
            limit: 0,
        };
        Ok((unit.code.clone(), balance))
    };
    given.iter().map(one).collect()
}
