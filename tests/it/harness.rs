//! A whole installation in a temporary folder: settings, policies, journal, store, the two doors on
//! loopback, and a stand-in Cal.com that knows the way to them. Beside it a stand-in of Calendly, for the
//! stories that ask for one.

mod admin;
mod calendly;
pub(crate) mod openapi;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bookgate::app::{App, Listeners};
use bookgate::domain::clock::{Clock, ManualClock, Timestamp};
use bookgate::domain::ids::Uid;
use bookgate::gate::Gate;
use bookgate::settings::{Environment, Settings};
use bookgate::standin::calcom::{
    Booking, BookingRequest, Delivery, Options, OutgoingWebhook, Person, StandIn, Subscription,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rig::postgres::Postgres;

pub(crate) use admin::{answer, exchange};
pub(crate) use calendly::{Calendly, SIGNING_KEY, reference, start_of};

pub(crate) const SECRET: &str = "a signing secret for tests";
pub(crate) const ADMIN_TOKEN: &str = "an admin token for tests";
pub(crate) const READ_TOKEN: &str = "a reading token for tests";
pub(crate) const CREDITS_TOKEN: &str = "a till's token for tests";
/// What notices are signed with: 24 bytes and more in base64, behind `whsec_`.
pub(crate) const NOTICES_SECRET: &str = "whsec_QSBrZXkgb2YgbW9yZSB0aGFuIDI0IGJ5dGVz";
/// Longer than any story may take in earnest: a story that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long a call may take by itself. What became of one without an answer is asked after three times as long and
/// the grace of 5 s: within a minute.
pub(crate) const CALL_TIMEOUT_MS: u32 = 18_000;

/// Two credits a booking, half back for a late cancel.
pub(crate) const CREDIT_POLICY: &str = r#"
schema = 1
[policy]
id = "credits"
[credits]
unit = "CREDIT"
cost = { base = "2" }
refund = [
  { notice = "48h", percent = 100 },
  { notice = "0s", percent = 50 },
]
[[criterion]]
id = "has-credit"
kind = "credit"
message = "This costs {cost} credits and you have {available}."
[require]
all = ["has-credit"]
"#;

/// What an installation is to be like.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) policies: Vec<(&'static str, String)>,
    pub(crate) dialect: &'static str,
    /// Further lines of the settings file.
    pub(crate) server: &'static str,
    pub(crate) storage: &'static str,
    pub(crate) admin: &'static str,
    /// Lines of `[policies]`. By itself nobody looks whether they have changed.
    pub(crate) policies_section: &'static str,
    pub(crate) source: &'static str,
    pub(crate) worker: &'static str,
    /// From one reconciliation to the next; 0 is never, so that webhooks have to do.
    pub(crate) reconcile_ms: i64,
    /// Sections beside those above.
    pub(crate) more: String,
    pub(crate) requests_per_minute: u32,
    pub(crate) call_timeout_ms: u32,
    pub(crate) stand_in: Options,
    /// A source `calendly` as well.
    pub(crate) calendly: Option<Calendly>,
    pub(crate) store: Store,
}

/// Where an installation keeps what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// In SQLite.
    File,
    /// In a database of its own on the shared PostgreSQL.
    Server,
    /// In this database of a PostgreSQL that the story has for itself.
    At(&'static str),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policies: vec![("credits.toml", CREDIT_POLICY.to_owned())],
            dialect: "v2",
            // The machine may stand still for a few seconds, and nobody here waits for a retry: its time
            // would not come before the story moves the clock.
            server: "request_timeout_ms = 120000",
            storage: "busy_timeout_ms = 60000\nstatement_timeout_ms = 60000",
            admin: "",
            policies_section: "look_ms = 0",
            source: "",
            worker: "",
            reconcile_ms: 0,
            more: String::new(),
            requests_per_minute: 0,
            call_timeout_ms: CALL_TIMEOUT_MS,
            stand_in: Options::default(),
            calendly: None,
            store: Store::File,
        }
    }
}

/// The running daemon.
struct Running {
    gate: Gate,
    public: String,
    admin: String,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// An installation with everything around it.
pub(crate) struct Installation {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) cal: StandIn,
    calendly: Option<bookgate::standin::calendly::StandIn>,
    folder: TempDir,
    settings: Settings,
    running: Option<Running>,
    http: reqwest::Client,
    /// The address providers know; it stays the same over restarts.
    public_address: std::net::SocketAddr,
}

/// Tells a story on both stores, and at its end asserts what holds after every story: nothing waits, the
/// ledger adds up, nothing was dead-lettered unless the story says so.
pub(crate) async fn run_test<S>(setup: Setup, story: S)
where
    S: AsyncFn(&mut Installation),
{
    tell(setup.clone(), &story).await;
    if Postgres::shared().is_some() {
        eprintln!("the same on PostgreSQL");
        let store = Store::Server;
        tell(Setup { store, ..setup }, &story).await;
    }
}

/// As [`run_test`], for a story about the file.
pub(crate) async fn run_test_on_file<S>(setup: Setup, story: S)
where
    S: AsyncFn(&mut Installation),
{
    tell(setup, &story).await;
}

/// As [`run_test`], for a story about the server.
pub(crate) async fn run_test_on_server<S>(setup: Setup, story: S)
where
    S: AsyncFn(&mut Installation),
{
    if Postgres::shared().is_some() {
        let store = Store::Server;
        tell(Setup { store, ..setup }, &story).await;
    }
}

/// As [`run_test`], on the store of the setup alone.
pub(crate) async fn run_test_as_set_up<S>(setup: Setup, story: S)
where
    S: AsyncFn(&mut Installation),
{
    tell(setup, &story).await;
}

async fn tell<S>(setup: Setup, story: &S)
where
    S: AsyncFn(&mut Installation),
{
    let mut installation = Installation::start(setup).await;
    let told = tokio::time::timeout(PATIENCE, async {
        story(&mut installation).await;
        installation.settle().await;
        installation.assert_house_rules().await;
        installation.stop().await;
    });
    told.await
        .expect("the story takes too long: something waits for ever");
}

pub(crate) fn noon() -> Timestamp {
    "2027-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn ada() -> Person {
    Person::new("Ada Booker", "Ada@Reader.example")
}

impl Installation {
    pub(crate) async fn start(setup: Setup) -> Self {
        let http = crate::rig::client();
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        for (name, text) in &setup.policies {
            let file = policies.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let clock = Arc::new(ManualClock::new(noon()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let as_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let cal = StandIn::start(listener, as_clock, setup.stand_in.clone()).unwrap();
        let calendly = match &setup.calendly {
            Some(calendly) => Some(calendly.start(Arc::<ManualClock>::clone(&clock)).await),
            None => None,
        };
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_address = public.local_addr().unwrap();
        let text = settings::text(&setup, &cal, calendly.as_ref(), public_address);
        let env = Environment::from_iter([
            ("SECRET".to_owned(), SECRET.to_owned()),
            ("ADMIN".to_owned(), ADMIN_TOKEN.to_owned()),
            ("READ".to_owned(), READ_TOKEN.to_owned()),
            ("CREDITS".to_owned(), CREDITS_TOKEN.to_owned()),
            ("KEY".to_owned(), cal.api_key().to_owned()),
            ("NOTICES".to_owned(), NOTICES_SECRET.to_owned()),
            (
                "CALENDLY_SECRET".to_owned(),
                calendly::SIGNING_KEY.to_owned(),
            ),
            (
                "CALENDLY_KEY".to_owned(),
                calendly.as_ref().map_or("", |it| it.token()).to_owned(),
            ),
        ]);
        let settings = Settings::from_toml_str(&text, folder.path(), &env).unwrap();
        let mut installation = Self {
            clock,
            cal,
            calendly,
            folder,
            settings,
            running: None,
            http,
            public_address,
        };
        installation.begin_on(public).await;
        let url = format!("{}/webhooks/calcom", installation.public());
        let subscription = Subscription::to_everything(url, SECRET);
        installation.cal.subscribe(subscription).unwrap();
        if installation.calendly.is_some() {
            // Until the daemon has subscribed, nobody hears of anything.
            installation.settle().await;
        }
        installation
    }

    /// Starts the daemon again on what is in the folder.
    pub(crate) async fn begin(&mut self) {
        let public = TcpListener::bind(self.public_address).await.unwrap();
        self.begin_on(public).await;
    }

    async fn begin_on(&mut self, public: TcpListener) {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let app = App::open(&self.settings, clock).await.unwrap();
        let listeners = Listeners {
            public,
            admin: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        let admin = format!("http://{}", listeners.admin.local_addr().unwrap());
        let (gate, stop) = (app.gate.clone(), CancellationToken::new());
        let task = tokio::spawn(app.run(listeners, stop.clone()));
        self.running = Some(Running {
            gate,
            public: format!("http://{}", self.public_address),
            admin,
            stop,
            task,
        });
    }

    /// Stops the daemon in order.
    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().expect("it runs");
        running.stop.cancel();
        running.task.await.unwrap().unwrap();
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("bookgate.db")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.running().gate
    }

    pub(crate) fn public(&self) -> &str {
        &self.running().public
    }

    /// Waits until nothing is left to do at this time.
    pub(crate) async fn settle(&self) {
        self.gate().settle().await;
    }

    /// Lets time pass, and everything that falls due happen.
    pub(crate) async fn pass_ms(&self, ms: i64) {
        self.clock.advance_ms(ms);
        self.settle().await;
    }

    // What people do.

    pub(crate) fn request(&self, event_type: &str, hours_ahead: i64) -> BookingRequest {
        let start = bookgate::domain::clock::plus_ms(noon(), hours_ahead * 3_600_000);
        BookingRequest::new(event_type, start, ada())
    }

    /// Ada asks for an appointment that needs confirmation.
    pub(crate) async fn book(&self, hours_ahead: i64) -> Booking {
        self.cal
            .book(self.request("consultation", hours_ahead))
            .await
            .unwrap()
    }

    /// Subscribes the same address a second time, as by a user and by an event type.
    pub(crate) fn subscribe_again(&self) {
        let url = format!("{}/webhooks/calcom", self.public());
        let subscription = Subscription::to_everything(url, SECRET);
        self.cal.subscribe(subscription).unwrap();
    }

    /// Holds the stand-in's webhooks back from now on.
    pub(crate) fn hold_webhooks(&self) {
        self.cal.set_delivery(Delivery::Held);
    }

    pub(crate) async fn deliver(&self, webhook: &OutgoingWebhook) {
        assert_eq!(
            self.cal.deliver(webhook).await.unwrap(),
            200,
            "{:?}",
            webhook.trigger
        );
    }

    /// Delivers what is held, in order, until no more comes.
    pub(crate) async fn deliver_all(&self) {
        loop {
            let webhooks = self.cal.take_outbox();
            if webhooks.is_empty() {
                return;
            }
            for webhook in &webhooks {
                self.deliver(webhook).await;
            }
            self.settle().await;
        }
    }

    pub(crate) fn status_at_cal(&self, uid: &Uid) -> &'static str {
        self.cal.booking(uid).unwrap().status.as_str()
    }

    /// What holds at the end of every story.
    async fn assert_house_rules(&self) {
        let violations = self.gate().desk().verify_ledger().await.unwrap();
        assert!(
            violations.is_empty(),
            "the ledger does not add up: {violations:?}"
        );
        let (_, bookings) = self.get("/v1/bookings?limit=200").await;
        for line in bookings["items"].as_array().unwrap() {
            let settled = line["settled"].as_bool().unwrap();
            assert!(settled || line["status"] == "pending", "left open: {line}");
        }
        let (_, listed) = self.get("/v1/dead-letters").await;
        let dead = listed["items"].as_array().unwrap();
        assert!(dead.is_empty(), "dead letters: {dead:?}");
    }
}
