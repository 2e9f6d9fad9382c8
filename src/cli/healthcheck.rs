//! `healthcheck`: whether the daemon on this machine takes webhooks, for container engines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use url::Url;

use super::{Context, print_json};
use crate::provider::client::{HttpClient, Method};
use crate::settings::{Extent, Settings};

/// How long the daemon may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What `healthcheck` takes: nothing of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate healthcheck
  bookgate healthcheck --json | jq .ready
  bookgate --config /etc/bookgate/bookgate.toml healthcheck

Asks GET /readyz at server.listen of the same settings; needs no secret. Exits
with 0 if webhooks can be stored, and with 1 if they cannot or nobody answers.")]
pub(super) struct HealthcheckArgs {}

/// Asks, and prints the answer.
pub(super) fn run(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let address = from_here(settings.server.listen);
    let url: Url = format!("http://{address}/readyz").parse()?;
    let client = HttpClient::new(&url, 1_000)?;
    let answer = super::wait_for(async {
        let asking = client.exchange(client.request(Method::GET, url), TIMEOUT);
        asking
            .await
            .with_context(|| format!("nobody answers at {address}"))
    })?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let ready = answer.status == 200;
    if json {
        let told = json!({"ready": ready, "status": answer.status, "answer": text});
        print_json(&told, context)?;
    }
    if !ready {
        bail!("not ready, HTTP {}: {text}", answer.status);
    }
    match json {
        true => Ok(()),
        false => Ok(writeln!(context.out, "{text}")?),
    }
}

/// Who listens on every address is reached on this machine's own.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
