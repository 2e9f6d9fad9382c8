//! `instances`: which daemons there are on this database.

use clap::Args;

use super::reach;
use super::text::{ago, table};
use super::{Context, print_json};
use crate::settings::{Extent, Settings};

/// What `instances` takes: nothing of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate instances
  bookgate instances --json | jq '.items[] | select(.alive).host'

Reads the database itself, also beside running daemons. One that has said
nothing for worker.lease_ms, by this machine's clock, is dead: the others have
taken its work over. It stays on the list for a day.")]
pub(super) struct InstancesArgs {}

/// Lists them.
pub(super) fn run(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let lease_ms = settings.worker.lease_ms;
    let page = reach::read(context, async |desk| desk.instances(lease_ms).await)?;
    if json {
        return print_json(&page, context);
    }
    if page.items.is_empty() {
        return Ok(writeln!(context.out, "no instances")?);
    }
    let now = context.clock.now();
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|instance| {
            [
                instance.id.clone(),
                if instance.alive { "alive" } else { "dead" }.to_owned(),
                instance.host.clone(),
                instance.version.clone(),
                ago(instance.started_at, now),
                ago(instance.seen_at, now),
            ]
        })
        .collect();
    let header = ["id", "state", "host", "version", "started", "seen"];
    Ok(table(&mut *context.out, header, &rows)?)
}
