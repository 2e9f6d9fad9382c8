//! `webhook send`: a signed webhook to any address, and what was answered.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::json;
use url::Url;

use super::{WebhookArgs, signed};
use crate::cli::admin_endpoint::{ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS};
use crate::cli::{Context, UsageError, print_json, text, wait_for};
use crate::provider::client::{HttpClient, Method};

/// How much of an answer is shown, in characters.
const SHOWN_CHARS_MAX: usize = 2_000;

/// What `webhook send` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct SendArgs {
    /// Where to, such as http://127.0.0.1:8080/webhooks/calcom
    url: Url,
    #[command(flatten)]
    webhook: WebhookArgs,
}

/// Sends it, and fails unless it was taken.
pub(super) fn run(args: &SendArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    if !matches!(args.url.scheme(), "http" | "https") {
        return Err(UsageError("the URL must begin with http:// or https://".to_owned()).into());
    }
    let webhook = signed(&args.webhook, context)?;
    let client = HttpClient::new(&args.url, CONNECT_TIMEOUT_MS)?;
    let mut request = client.request(Method::POST, args.url.clone());
    for (name, value) in &webhook.headers {
        request = request.header(*name, value);
    }
    let request = request.body(webhook.body);
    let started = Instant::now();
    let answer = wait_for(async {
        let timeout = Duration::from_millis(ANSWER_TIMEOUT_MS);
        let sent = client.exchange(request, timeout).await;
        sent.map_err(|error| anyhow!("the webhook was not answered: {error}"))
    })?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let body: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .take(SHOWN_CHARS_MAX)
        .collect();
    let status = answer.status;
    if json {
        let answer = json!({"status": status, "took_ms": took_ms, "body": body});
        print_json(&answer, context)?;
    } else {
        writeln!(context.out, "HTTP {status} after {took_ms} ms")?;
        for line in body.lines() {
            writeln!(context.out, "{}", text::plain(line))?;
        }
    }
    if !(200..300).contains(&status) {
        bail!("the webhook was not taken: HTTP {status}");
    }
    Ok(())
}
