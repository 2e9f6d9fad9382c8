//! `webhook`: a webhook as Cal.com would send it, signed, for trying out what bookgate does with it:
//! printed, or sent. What is made here is a [`SignedWebhook`], for both alike.

mod sample;
mod send;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use self::sample::SampleArgs;
use self::send::SendArgs;
use super::{Context, UsageError, print_json};
use crate::provider::registry;
use crate::provider::signature::Verifier;
use crate::settings::SecretRef;

/// Whose webhooks are made here, by its name in the registry.
const PROVIDER: &str = "calcom";

/// Commands that make webhooks.
#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Print a signed webhook: its headers, an empty line, its body
    #[command(after_help = "\
Examples:
  bookgate webhook sign
  bookgate webhook sign --trigger BOOKING_CREATED --email ada@example.org
  bookgate webhook sign --trigger BOOKING_RESCHEDULED --uid second --reschedule-uid first
  bookgate webhook sign --body body.json --secret file:secrets/hook

To send it with curl, exactly as it was signed:
  bookgate webhook sign --output body.json > headers
  curl -H @headers --data-binary @body.json http://127.0.0.1:8080/webhooks/calcom")]
    Sign(SignArgs),
    /// Send a signed webhook, and print what is answered
    #[command(after_help = "\
Examples:
  bookgate webhook send http://127.0.0.1:8080/webhooks/calcom
  bookgate webhook send http://127.0.0.1:8080/webhooks/calcom --uid first
  bookgate webhook send https://gate.example.org/webhooks/calcom --body body.json

Exits with 1 unless the answer is 2xx.")]
    Send(SendArgs),
}

/// What `webhook sign` takes.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    #[command(flatten)]
    webhook: WebhookArgs,
    /// Write the body to FILE, byte for byte as it was signed, and print the headers alone. (On
    /// stdout, a newline is added behind the body.)
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which webhook, and who signs it.
#[derive(Debug, Args)]
struct WebhookArgs {
    /// The secret to sign with: env:NAME or file:PATH
    #[arg(
        long,
        value_name = "REFERENCE",
        default_value = "env:BOOKGATE_CALCOM_SECRET"
    )]
    secret: String,
    /// Sign the bytes of FILE instead of a sample
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    #[command(flatten)]
    sample: SampleArgs,
}

/// A webhook, ready to be sent.
#[derive(Debug)]
struct SignedWebhook {
    headers: BTreeMap<&'static str, String>,
    body: Vec<u8>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    headers: &'a BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &WebhookCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    match command {
        WebhookCommand::Sign(args) => sign(args, json, context),
        WebhookCommand::Send(args) => send::run(args, json, context),
    }
}

fn sign(args: &SignArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let webhook = signed(&args.webhook, context)?;
    let body = match &args.output {
        Some(path) => {
            let path = context.options.working_dir.join(path);
            fs::write(&path, &webhook.body)
                .with_context(|| format!("cannot write {}", path.display()))?;
            None
        }
        None => Some(std::str::from_utf8(&webhook.body).map_err(|_| {
            UsageError("the body is not UTF-8: write it to a file with --output".to_owned())
        })?),
    };
    let headers = &webhook.headers;
    if json {
        return print_json(&Printed { headers, body }, context);
    }
    for (name, value) in headers {
        writeln!(context.out, "{name}: {value}")?;
    }
    if let Some(body) = body {
        writeln!(context.out, "\n{body}")?;
    }
    Ok(())
}

/// The webhook that the arguments describe.
fn signed(args: &WebhookArgs, context: &Context<'_>) -> anyhow::Result<SignedWebhook> {
    let folder = &context.options.working_dir;
    let secret = SecretRef::parse(&args.secret)
        .and_then(|reference| reference.resolve(folder, &context.options.env))
        .map_err(|error| UsageError(format!("--secret: {error}")))?;
    let body = match &args.body {
        Some(path) => {
            let path = folder.join(path);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?
        }
        None => args.sample.body(context.clock.now())?,
    };
    let entry = registry::find(PROVIDER)?;
    let verifier = Verifier::new(vec![entry.signature.clone()], &[secret])
        .map_err(|error| UsageError(format!("--secret: {error}")))?;
    let mut headers = BTreeMap::from([
        ("content-type", "application/json".to_owned()),
        ("x-cal-webhook-version", "2021-10-20".to_owned()),
    ]);
    // Cal.com's webhooks have no id of their own.
    headers.extend(verifier.sign("", &body, context.clock.now()));
    Ok(SignedWebhook { headers, body })
}
