//! Composition root: from settings to a running daemon, and back down in order.

mod callouts;
mod listeners;
mod policies;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::domain::booking::Party;
use crate::domain::clock::Clock;
use crate::domain::ids::SourceName;
use crate::domain::timeline;
use crate::gate::{
    self, CallMeter, Gate, GateSettings, Keeping, ListMeter, NoticeSettings, Parts,
    ReconcileSettings, RetentionSettings, Source, Subscriber,
};
use crate::http::{self, HttpSettings, LogInSettings, OwnThreads, Token};
use crate::journal::{Journal, JournalSettings, Reader};
use crate::notify::Receiver;
use crate::provider::circuit::CircuitSettings;
use crate::provider::registry::Calling;
use crate::provider::signature::{Scheme, Verifier};
use crate::provider::traced::Tracer;
use crate::provider::{Provider, registry};
use crate::settings::{
    Acknowledge, Created, Database, HostConfirm, ReceiverSettings, Role, Settings, SharedRefusal,
    SourceSettings, Tls, UnknownCanceller, Verification, WhenStoreIsDown,
};
use crate::storage::{self, PostgresSettings, Storage, StorageError, StorageSettings, TlsMode};
use crate::telemetry::otlp::{Exporter, OtlpTarget};

use policies::PolicyFolder;

pub use callouts::open_caller;
pub use listeners::Listeners;
pub use policies::{
    LastGood, PolicyError, check_policies, check_policies_and_secrets, check_policies_with,
    own_kinds,
};

/// How long a delivery waits for the store before the journal takes over, in ms.
const STORE_PATIENCE_MS: u64 = 1_500;

/// Everything that runs, opened and wired but not yet running.
pub struct App {
    /// The gate.
    pub gate: Gate,
    reader: Reader,
    journal: Arc<Journal>,
    exporter: Option<Arc<Exporter>>,
    storage: Storage,
    http: Arc<HttpSettings>,
    grace: Duration,
    policies: Arc<PolicyFolder>,
    /// How often the policies' folder is looked at; `None` for never.
    look_at_policies: Option<Duration>,
}

impl App {
    /// Opens journal and store, loads the policies, and wires everything.
    ///
    /// # Errors
    /// Whatever cannot be opened or loaded, in words for the admin.
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let (caller, lists) = (
            open_caller(settings, Arc::clone(&clock))?,
            ListMeter::default(),
        );
        let caller = Arc::new(caller);
        let (asks, ticks) = (Arc::clone(&caller), Arc::clone(&clock));
        let folder = PolicyFolder::new(settings, asks, ticks, lists.clone());
        let with_last_good = settings.policies.start_with_last_good;
        let (policies, good) = folder.start(with_last_good, clock.now()).await?;
        let storage = open_store(settings).await?;
        // Before anything is due: all instances go by the same clock. Where the store is down, nothing is
        // due before the first heartbeat, which sets the clock too.
        match gate::set_clock(&storage, clock.as_ref()).await {
            Err(error) if error.is_transient() && may_wait(settings) => {
                tracing::debug!(error = %error, "the clock is set later");
            }
            set => drop(set?),
        }
        let (journal, reader, opened) = Journal::open(&journal_settings(settings))?;
        let journal = Arc::new(journal);
        if opened.recovered_records > 0 || opened.torn_bytes > 0 {
            tracing::info!(
                journal.records = opened.recovered_records,
                journal.torn_bytes = opened.torn_bytes,
                "the journal holds deliveries of an earlier run; they are filed now"
            );
        }
        if let Some(good) = good {
            folder.keep(&good);
        }
        let calls = CallMeter::default();
        let sources = settings
            .sources
            .iter()
            .map(|(name, source)| open_source(name, source, settings, &clock, &calls))
            .collect::<anyhow::Result<Vec<_>>>()?;
        tracing::info!(
            source.count = sources.len(),
            journal.recovered = opened.recovered_records,
            "opened"
        );
        let worker_name = instance_name();
        let exporter = open_exporter(settings, &worker_name)?;
        let tracer = exporter.clone().map(|exporter| Tracer::to(exporter));
        let gate = Gate::new(Parts {
            storage: storage.clone(),
            journal: Arc::clone(&journal),
            policies,
            units: settings.units.values().cloned().collect(),
            sources,
            caller,
            clock,
            settings: gate_settings(settings, worker_name),
            notices: notice_settings(settings)?,
            calls,
            lists,
            tracer: tracer.unwrap_or_default(),
        });
        Ok(Self {
            gate,
            reader,
            journal,
            exporter,
            storage,
            http: Arc::new(http_settings(settings)),
            grace: millis(settings.server.shutdown_grace_ms),
            policies: folder,
            look_at_policies: (settings.policies.look_ms > 0)
                .then(|| millis(settings.policies.look_ms)),
        })
    }

    /// Runs until `shutdown` is cancelled, then stops in order: no more requests, what is in hand is
    /// finished or given back, journal and store are closed.
    ///
    /// # Errors
    /// There are no threads for the public door; or that or the worker panicked, which only an error inside
    /// bookgate can make them do.
    pub async fn run(
        self,
        listeners: Listeners,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        // Kept until everything is closed: connections to the store may have been opened there.
        let threads = OwnThreads::start().context("no threads to take webhooks in")?;
        let work = CancellationToken::new();
        let worker = {
            let (gate, work) = (self.gate.clone(), work.clone());
            tokio::spawn(async move { Box::pin(gate.run(self.reader, work)).await })
        };
        let watching = self.look_at_policies.map(|every| {
            let (folder, gate) = (self.policies, self.gate.clone());
            tokio::spawn(policies::keep_up(folder, gate, every, shutdown.clone()))
        });
        let public = http::public(self.gate.clone(), Arc::clone(&self.http));
        let admin = http::admin(self.gate.clone(), Arc::clone(&self.http));
        let for_public = shutdown.clone();
        let serving_admins = async {
            http::serve(listeners.admin, admin, shutdown.clone(), self.grace).await;
            Ok(())
        };
        let served = tokio::try_join!(
            threads.serve(listeners.public, public, for_public, self.grace),
            serving_admins,
        );
        served.context("the public door failed")?;
        tracing::info!("no more requests are taken; finishing what is in hand");
        work.cancel();
        let worked = match tokio::time::timeout(self.grace, worker).await {
            Ok(ended) => ended.context("the worker failed: please report this"),
            Err(_) => {
                tracing::warn!(
                    "work in hand did not end in time; its leases run out by themselves"
                );
                Ok(())
            }
        };
        if let Some(watching) = watching {
            // Policies that are being read have no say any more.
            let _ended = tokio::time::timeout(self.grace, watching).await;
        }
        if let Some(exporter) = self.exporter {
            exporter.end().await;
        }
        self.journal.close().await;
        self.storage.close().await;
        tracing::info!("stopped");
        worked
    }
}

/// The journal's settings.
pub fn journal_settings(settings: &Settings) -> JournalSettings {
    JournalSettings {
        segment_bytes_max: settings.journal.segment_bytes_max,
        bytes_max: settings.journal.bytes_max,
        ..JournalSettings::new(&settings.journal.dir)
    }
}

/// The store's settings.
pub fn storage_settings(settings: &Settings) -> StorageSettings {
    let from = &settings.storage;
    StorageSettings {
        database: match &from.database {
            Database::Sqlite(path) => storage::Database::Sqlite {
                path: path.clone(),
                read_connections: from.read_connections,
            },
            Database::Postgres(url) => storage::Database::Postgres(PostgresSettings {
                url: url.clone(),
                tls: Some(match from.tls {
                    Tls::Disable => TlsMode::Disable,
                    Tls::Prefer => TlsMode::Prefer,
                    Tls::Require => TlsMode::Require,
                    Tls::VerifyCa => TlsMode::VerifyCa,
                    Tls::VerifyFull => TlsMode::VerifyFull,
                }),
                tls_root_certificate: from.tls_root_certificate.clone(),
                connections_max: from.connections_max,
                statement_timeout_ms: unsigned(from.statement_timeout_ms),
            }),
        },
        busy_timeout_ms: unsigned(from.busy_timeout_ms),
        units: settings.units.values().cloned().collect(),
    }
}

/// Whether a daemon starts without its store. If the journal may stand in for one that is down, it may do so
/// from the start: after a power cut the database may well be up later than this daemon.
fn may_wait(settings: &Settings) -> bool {
    settings.server.when_store_is_down == WhenStoreIsDown::Journal
}

async fn open_store(settings: &Settings) -> Result<Storage, StorageError> {
    let store = storage_settings(settings);
    match may_wait(settings) {
        true => Storage::open_soon(&store).await,
        false => Storage::open(&store).await,
    }
}

fn open_source(
    name: &SourceName,
    source: &SourceSettings,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    calls: &CallMeter,
) -> anyhow::Result<Source> {
    let context = || format!("sources.{name}");
    let entry = registry::find(source.provider.as_str()).with_context(context)?;
    let calling = Calling {
        circuit: circuit_settings(settings),
        told: calls.of(name),
        clock: Arc::clone(clock),
    };
    let provider = open_provider(source, calling).with_context(context)?;
    let verifier = match &source.verification {
        Verification::None => {
            tracing::warn!(source.name = %name, "webhooks of this source are not verified: verification = \"none\"");
            None
        }
        Verification::Signed(secrets) => {
            Some(Verifier::new(schemes(entry, source), secrets).with_context(context)?)
        }
    };
    let rules = timeline::Rules {
        created: match source.created {
            Created::Decide => timeline::Created::Decide,
            Created::Observe => timeline::Created::Observe,
        },
        host_confirm: match source.host_confirm {
            HostConfirm::Respect => timeline::HostConfirm::Respect,
            HostConfirm::Enforce => timeline::HostConfirm::Enforce,
        },
        unknown_canceller: match source.unknown_canceller {
            UnknownCanceller::Organizer => Party::Host,
            UnknownCanceller::Booker => Party::Booker,
        },
        settle_ms: source.settle_ms,
        series_settle_ms: source.series_settle_ms,
        attempt_grace_ms: settings.worker.attempt_grace_ms,
        shared_refusal: match source.shared_refusal {
            SharedRefusal::Defer => timeline::SharedRefusal::Defer,
            SharedRefusal::CancelAll => timeline::SharedRefusal::CancelAll,
        },
        provider: provider.capabilities(),
    };
    let keeping = source
        .subscription
        .as_ref()
        .map(|wanted| match wanted.ensure {
            true => Keeping::Ensured,
            false => Keeping::Watched,
        });
    let mut opened = Source::new(name.clone(), provider, verifier, rules);
    opened.keeping = keeping;
    Ok(opened)
}

/// The provider of one source.
///
/// # Errors
/// A setting is out of its bounds, or the HTTP client cannot be made.
pub fn open_provider(
    source: &SourceSettings,
    calling: Calling,
) -> Result<Arc<dyn Provider>, registry::BuildError> {
    let entry = registry::find(source.provider.as_str())?;
    let key = match &source.verification {
        Verification::Signed(secrets) => secrets.first().cloned(),
        Verification::None => None,
    };
    let wanted = source.subscription.as_ref().zip(key);
    let subscription = wanted.map(|(wanted, signing_key)| registry::SubscriptionSetup {
        url: wanted.url.clone(),
        scope: wanted.scope.as_str().to_owned(),
        user: wanted.user.clone(),
        group: wanted.group.clone(),
        signing_key,
    });
    (entry.build)(registry::Setup {
        api: source.api.to_table(),
        subscription,
        calling,
    })
}

/// When a provider counts as failing.
fn circuit_settings(settings: &Settings) -> CircuitSettings {
    CircuitSettings {
        failures_max: settings.worker.circuit_failures,
        wait_ms: settings.worker.circuit_wait_ms,
        wait_ms_max: settings.worker.circuit_wait_ms_max,
    }
}

/// How the webhooks of a source may be signed: the provider's own way first.
fn schemes(entry: &registry::Entry, source: &SourceSettings) -> Vec<Scheme> {
    let words = source.legacy_signatures.iter().map(|word| word.as_str());
    let older = words.filter_map(|word| {
        let mut known = entry.legacy_signatures.iter();
        known.find(|(name, _)| *name == word)
    });
    let older = older.map(|(_, scheme)| scheme.clone());
    let all = std::iter::once(entry.signature.clone()).chain(older);
    let tolerance_ms = source.signature_tolerance_ms;
    all.map(|scheme| match tolerance_ms {
        Some(ms) => scheme.with_tolerance(ms),
        None => scheme,
    })
    .collect()
}

fn gate_settings(settings: &Settings, worker_name: String) -> GateSettings {
    GateSettings {
        acknowledge: match (settings.server.acknowledge, &settings.storage.database) {
            (Acknowledge::Journal, _) | (Acknowledge::Auto, Database::Sqlite(_)) => {
                gate::Acknowledge::Journal
            }
            (Acknowledge::Database, _) | (Acknowledge::Auto, Database::Postgres(_)) => {
                gate::Acknowledge::Database
            }
        },
        journal_when_store_is_down: may_wait(settings),
        journal_age_max_ms: settings.journal.age_max_ms,
        store_patience_ms: STORE_PATIENCE_MS,
        concurrency: settings.worker.concurrency as usize,
        lease_ms: settings.worker.lease_ms,
        drain_batch_max: settings.worker.batch_max as usize,
        retry_schedule_ms: settings.worker.retry_schedule_ms.clone(),
        retention: retention_settings(settings),
        reconcile: ReconcileSettings {
            interval_ms: settings.reconcile.interval_ms,
            days_back: settings.reconcile.days_back,
        },
        worker_name,
    }
}

fn notice_settings(settings: &Settings) -> anyhow::Result<NoticeSettings> {
    let subscribers = settings.notices.iter().map(|(name, receiver)| {
        Ok(Subscriber {
            receiver: open_receiver(name, receiver)?,
            topics: receiver.events.iter().copied().collect(),
        })
    });
    Ok(NoticeSettings {
        subscribers: subscribers.collect::<anyhow::Result<_>>()?,
        low_balance: settings.low_balance.clone(),
    })
}

/// Somebody who is told what happens.
///
/// # Errors
/// A secret is none of the scheme, or the HTTP client cannot be made.
pub fn open_receiver(name: &str, settings: &ReceiverSettings) -> anyhow::Result<Receiver> {
    let (url, secrets) = (settings.url.clone(), &settings.secrets);
    Receiver::new(name, url, secrets, settings.timeout_ms)
        .with_context(|| format!("notices.{name}"))
}

fn open_exporter(settings: &Settings, instance: &str) -> anyhow::Result<Option<Arc<Exporter>>> {
    let Some(otlp) = &settings.telemetry.otlp else {
        return Ok(None);
    };
    let target = OtlpTarget {
        traces_url: otlp.traces_url.clone(),
        headers: otlp.headers.clone(),
        service_name: otlp.service_name.clone(),
        instance: instance.to_owned(),
    };
    let exporter = Exporter::new(target, Handle::current()).context("telemetry.otlp")?;
    Ok(Some(Arc::new(exporter)))
}

/// New with every start: who was killed and started again is somebody else.
fn instance_name() -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    format!("gate-{}", &id[20..])
}

/// What is removed once it is old.
pub fn retention_settings(settings: &Settings) -> RetentionSettings {
    let retention = &settings.retention;
    RetentionSettings {
        interval_ms: retention.interval_ms,
        batch_max: retention.batch_max,
        delivery_bodies_days: retention.delivery_bodies_days,
        unparsed_bodies_days: retention.unparsed_bodies_days,
        facts_days: retention.facts_days,
        deliveries_days: retention.deliveries_days,
        idempotency_days: retention.idempotency_days,
    }
}

fn http_settings(settings: &Settings) -> HttpSettings {
    let token = |(name, token): (&String, &crate::settings::AdminToken)| {
        let role = match token.role {
            Role::Read => http::Role::Read,
            Role::Credits => http::Role::Credits,
            Role::Admin => http::Role::Admin,
        };
        Token::new(name, role, token.secret.expose())
    };
    HttpSettings {
        body_bytes_max: usize::try_from(settings.server.body_bytes_max).unwrap_or(usize::MAX),
        request_timeout_ms: unsigned(settings.server.request_timeout_ms),
        tokens: settings.admin.tokens.iter().map(token).collect(),
        session_ms: settings.admin.session_ms,
        log_ins: LogInSettings {
            failed_max: settings.admin.failed_log_ins_max,
            delay_ms: unsigned(settings.admin.failed_log_in_delay_ms),
        },
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(unsigned(ms))
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
