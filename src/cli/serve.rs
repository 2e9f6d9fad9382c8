//! `serve`: the daemon, from the settings to its orderly end.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, UsageError, service_manager};
use crate::app::{App, Listeners};
use crate::domain::clock::Clock;
use crate::gate::{Gate, ReloadCause};
use crate::settings::Settings;
use crate::telemetry::{self, TelemetryError};

/// What `serve` takes: nothing of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate serve
  bookgate --config /etc/bookgate/bookgate.toml serve
  BOOKGATE_LOG=info,bookgate::gate=debug bookgate serve

A PostgreSQL that is down keeps it from starting only where webhooks may not
wait in the journal (server.when_store_is_down = \"refuse\"); else it takes
webhooks, and opens the database once that is up.

A service manager that asks for it (systemd, Type=notify) is told when it takes
requests, that it is alive (WatchdogSec), and when it stops.

Policies are read again when their files change (policies.look_ms), and on SIGHUP.

Logs go to stderr. SIGTERM and SIGINT stop it in order: no more requests are
taken, running work is finished or given back (server.shutdown_grace_ms), and
journal and database are closed. A second signal stops it at once; what was in
hand then is taken up at the next start.")]
pub(super) struct ServeArgs {}

/// Runs until a signal comes.
pub(super) fn run(context: &Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load(&context.options)?;
    settings.require_source()?;
    let filter = context.options.env.get(telemetry::FILTER_VARIABLE);
    telemetry::init(settings.log, filter).map_err(|error| match error {
        TelemetryError::Filter(_) => UsageError(error.to_string()).into(),
        TelemetryError::Taken => anyhow::Error::from(error),
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = runtime.block_on(serve(&settings, Arc::clone(&context.clock)));
    // After a second signal nothing is waited for; otherwise nothing runs any more.
    runtime.shutdown_background();
    served
}

async fn serve(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    // Before anything is opened, so that no signal finds the process half-way.
    let mut signals = Signals::listen()?;
    let listeners = Listeners::bind(settings).await?;
    let public = listeners.public.local_addr()?;
    let admin = listeners.admin.local_addr()?;
    let app = App::open(settings, clock).await?;
    tracing::info!(
        listen = %public,
        admin_listen = %admin,
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    if settings.admin.tokens.is_empty() {
        tracing::warn!("there is no token in [admin.tokens]: nobody can use the admin endpoint");
    }
    service_manager::ready(&format!("webhooks on {public}, admin on {admin}"));
    tokio::spawn(service_manager::tell_that_it_lives());
    let shutdown = CancellationToken::new();
    let gate = app.gate.clone();
    let running = app.run(listeners, shutdown.clone());
    tokio::pin!(running);
    loop {
        tokio::select! {
            ended = &mut running => return ended,
            told = signals.next() => match told {
                Told::Reload => drop(tokio::spawn(reload(gate.clone()))),
                Told::Stop(name) => {
                    tracing::info!(signal = name, "stopping");
                    break;
                }
            },
        }
    }
    service_manager::stopping();
    shutdown.cancel();
    tokio::select! {
        ended = running => ended,
        name = signals.stop() => bail!(
            "stopped at once by a second signal ({name}); what was in hand is taken up at the next start"
        ),
    }
}

async fn reload(gate: Gate) {
    if let Err(error) = gate.reload_policies(ReloadCause::Signal).await {
        tracing::error!(%error, "the policies could not be read");
    }
}

/// Two signals that mean: stop. And one that means: read the policies again.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal means.
enum Told {
    /// Stop; the signal's name.
    Stop(&'static str),
    /// Read the policies again.
    Reload,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// Waits for one that means: stop.
    async fn stop(&mut self) -> &'static str {
        loop {
            if let Told::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}
