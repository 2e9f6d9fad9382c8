//! A whole installation in a temporary folder: settings, policy, journal, store, the two doors on
//! loopback, and stand-ins for Cal.com and Calendly that know the way to them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::{App, Listeners};
use crate::cli::admin_endpoint::{ANSWER_TIMEOUT_MS, AdminEndpoint, CONNECT_TIMEOUT_MS};
use crate::cli::init::new_secret;
use crate::domain::clock::{Clock, ManualClock, Timestamp, plus_ms};
use crate::gate::Gate;
use crate::provider::client::{HttpClient, Method};
use crate::settings::{Environment, Secret, Settings};
use crate::standin::calcom::{Delivery, EventType, Options, Person, StandIn, Subscription};
use crate::standin::calendly;

/// The policy that decides.
const POLICY_NAME: &str = "executive-book-club.toml";
const POLICY: &str = include_str!("../../../policies/executive-book-club.toml");

/// The slug that the policy's `[match]` names.
pub(super) const EVENT_TYPE: &str = "exec-book-club";

const HOUR_S: i64 = 3_600;

/// A running installation.
pub(super) struct Installation {
    folder: TempDir,
    clock: Arc<ManualClock>,
    /// The stand-in. Its webhooks are held back, so that the story says when each is delivered.
    pub(super) calcom: StandIn,
    /// The other one.
    pub(super) calendly: calendly::StandIn,
    gate: Gate,
    /// The address of the door for webhooks.
    pub(super) public: String,
    /// The address of the door for admins.
    pub(super) admin: Url,
    http: HttpClient,
    admin_token: Secret,
    stop: CancellationToken,
    daemon: JoinHandle<anyhow::Result<()>>,
}

impl Installation {
    /// Sets everything up and starts the daemon. Its clock begins at the full hour before `now`.
    pub(super) async fn start(now: Timestamp) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bookgate-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let seconds = now.as_second();
        let started_at = Timestamp::from_second(seconds - seconds.rem_euclid(HOUR_S))?;
        let clock = Arc::new(ManualClock::new(started_at));
        let as_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let calcom = StandIn::start(loopback().await?, Arc::clone(&as_clock), options())?;
        let at_calendly = calendly_options();
        let calendly =
            calendly::StandIn::start(loopback().await?, Arc::clone(&as_clock), at_calendly)?;
        let listeners = Listeners {
            public: loopback().await?,
            admin: loopback().await?,
        };
        let public = format!("http://{}", listeners.public.local_addr()?);
        let admin = Url::parse(&format!("http://{}", listeners.admin.local_addr()?))?;

        let (admin_token, signing_secret) = (new_secret()?, new_secret()?);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        write("admin-token", &admin_token)?;
        write("signing-secret", &signing_secret)?;
        write("api-key", calcom.api_key())?;
        write("calendly-signing-key", &new_secret()?)?;
        write("calendly-token", calendly.token())?;
        fs::create_dir(folder.path().join("policies"))?;
        write(&format!("policies/{POLICY_NAME}"), POLICY)?;
        let text = settings_text(&listeners, &calcom, &calendly)?;
        write("bookgate.toml", &text)?;
        let settings = Settings::from_toml_str(&text, folder.path(), &Environment::default())?;

        let app = App::open(&settings, as_clock).await?;
        let (gate, stop) = (app.gate.clone(), CancellationToken::new());
        let daemon = tokio::spawn(app.run(listeners, stop.clone()));
        let hook = format!("{public}/webhooks/calcom");
        calcom.subscribe(Subscription::to_everything(hook, &signing_secret))?;
        // At Calendly the daemon subscribes by itself.
        gate.settle().await;
        Ok(Self {
            folder,
            clock,
            calcom,
            calendly,
            gate,
            public,
            http: HttpClient::new(&admin, CONNECT_TIMEOUT_MS)?,
            admin,
            admin_token: Secret::new(admin_token),
            stop,
            daemon,
        })
    }

    /// Where everything is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The time by the installation's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time some hours from now.
    pub(super) fn in_hours(&self, hours: i64) -> Timestamp {
        plus_ms(self.now(), hours * HOUR_S * 1_000)
    }

    /// Lets hours pass, and everything that falls due meanwhile happen.
    pub(super) async fn pass_hours(&self, hours: i64) {
        self.clock.advance_ms(hours * HOUR_S * 1_000);
        self.settle().await;
    }

    /// Waits until the daemon has nothing left to do now.
    pub(super) async fn settle(&self) {
        self.gate.settle().await;
    }

    /// Asks the admin endpoint.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = self.admin.join(path)?;
        let request = self.http.request(Method::GET, url);
        let request = request.bearer_auth(self.admin_token.expose());
        let timeout = Duration::from_millis(ANSWER_TIMEOUT_MS);
        let answer = self.http.exchange(request, timeout).await;
        let answer = answer.with_context(|| format!("GET {path}"))?;
        let status = answer.status;
        ensure!(status == 200, "GET {path} is answered HTTP {status}");
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Tops an account up through the admin endpoint, and says whether the key had done so before.
    pub(super) async fn top_up(
        &self,
        owner: &str,
        amount: &str,
        key: &str,
    ) -> anyhow::Result<bool> {
        let endpoint = AdminEndpoint::new(self.admin.clone(), self.admin_token.clone())?;
        let body = json!({"amount": amount, "unit": "CREDIT", "reason": "demo"});
        let path = ["v1", "accounts", owner, "top-ups"];
        let answer = endpoint.post(&path, Some(key), Some(&body)).await?;
        Ok(answer.replayed)
    }

    /// Stops the daemon in order and hands back the folder, which is removed once it is dropped.
    pub(super) async fn stop(self) -> anyhow::Result<TempDir> {
        self.stop.cancel();
        self.daemon.await??;
        Ok(self.folder)
    }
}

async fn loopback() -> anyhow::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0")
        .await
        .context("cannot listen on 127.0.0.1")
}

fn options() -> Options {
    Options {
        host: Person::new("Clara Host", "clara@clubs.example"),
        event_types: vec![
            EventType::new(7, EVENT_TYPE, "Executive Book Club", 60).requiring_confirmation(),
        ],
        delivery: Delivery::Held,
        ..Options::default()
    }
}

fn calendly_options() -> calendly::Options {
    let id = "0d6c8a52-9a0e-4f5f-8d3b-6b1b1f0c7e01";
    let event_type = calendly::EventType::new(id, EVENT_TYPE, "Executive Book Club", 60);
    calendly::Options {
        host: Person::new("Clara Host", "clara@clubs.example"),
        event_types: vec![event_type],
        delivery: Delivery::Held,
        ..calendly::Options::default()
    }
}

fn settings_text(
    listeners: &Listeners,
    calcom: &StandIn,
    calendly: &calendly::StandIn,
) -> anyhow::Result<String> {
    Ok(format!(
        r#"# Written by `bookgate demo`.
[server]
listen = "{public}"
admin_listen = "{admin}"
[admin.tokens.ops]
role = "admin"
secret = "file:admin-token"
[reconcile]
# So that the calls that are shown are those of the story.
interval_ms = 0
[sources.calcom]
provider = "calcom"
signing_secrets = ["file:signing-secret"]
[sources.calcom.api]
# The stand-in; it is gone once the demo is over.
base_url = "{base_url}"
dialect = "v2"
key = "file:api-key"
requests_per_minute = 0
[sources.calendly]
provider = "calendly"
signing_secrets = ["file:calendly-signing-key"]
[sources.calendly.api]
base_url = "{calendly_base_url}"
key = "file:calendly-token"
requests_per_minute = 0
[sources.calendly.subscription]
url = "http://{public}/webhooks/calendly"
"#,
        public = listeners.public.local_addr()?,
        admin = listeners.admin.local_addr()?,
        base_url = calcom.base_url(),
        calendly_base_url = calendly.base_url(),
    ))
}
