//! One installation and everything around it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bookgate::domain::clock::SystemClock;
use bookgate::standin::calcom::{Delivery, Options, StandIn, Subscription};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::Random;
use super::daemon::{Daemon, Post};
use super::disk::SmallDisk;
use super::proxy::Proxy;
use super::relay::Relay;
use super::store::{Kind, Store};

const SECRET: &str = "a signing secret for the rig";
pub(crate) const ADMIN_TOKEN: &str = "an admin token for the rig";
/// Minor units in a credit, as the built-in unit has it.
pub(crate) const SCALE: i64 = 100;
/// Credits a booking costs; all of it comes back.
pub(crate) const COST: i64 = 2;
const POLICY: &str = r#"
schema = 1
[policy]
id = "credits"
[credits]
unit = "CREDIT"
cost = { base = "2" }
refund = [{ notice = "0s", percent = 100 }]
[[criterion]]
id = "has-credit"
kind = "credit"
message = "This costs {cost} credits and you have {available}."
[require]
all = ["has-credit"]
"#;

/// What lies on a small disk of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    Store,
    Journal,
}

/// What an installation is to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) store: Kind,
    pub(crate) daemons: usize,
    /// `server.acknowledge`; empty for the store's own default.
    pub(crate) acknowledge: &'static str,
    pub(crate) small_disk: Option<Under>,
    /// How small: it must hold all that comes, while it is not filled up.
    pub(crate) disk_mib: u32,
}

/// A daemon's place, and the daemon while there is one.
pub(crate) struct Slot {
    pub(crate) post: Post,
    pub(crate) daemon: tokio::sync::Mutex<Option<Daemon>>,
}

/// The installation. Everything ends when it is dropped.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) slots: Vec<Slot>,
    pub(crate) relay: Relay,
    pub(crate) proxy: Proxy,
    pub(crate) cal: StandIn,
    pub(crate) http: reqwest::Client,
    pub(crate) store: Store,
    pub(crate) disk: Option<SmallDisk>,
    violations: Mutex<Vec<String>>,
    folder: Mutex<TempDir>,
}

impl World {
    /// Starts everything. `None` where something is missing on this machine, which is said.
    pub(crate) async fn start(setup: Setup, random: &mut Random) -> Option<Arc<Self>> {
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("credits.toml"), POLICY).unwrap();
        let of_store = folder.path().join("store");
        std::fs::create_dir(&of_store).unwrap();
        let of_daemon = |number: usize| folder.path().join(format!("daemon-{number}"));
        let disk_kib = setup.disk_mib * 1_024;
        let disk = match setup.small_disk {
            None => None,
            Some(Under::Store) => Some(SmallDisk::mount(&of_store, disk_kib)?),
            Some(Under::Journal) => {
                let journal = of_daemon(0).join("journal");
                Some(SmallDisk::mount(&journal, disk_kib)?)
            }
        };
        let store = Store::new(setup.store, &of_store)?;

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Options {
            delivery: Delivery::Live,
            ..Options::default()
        };
        let cal = StandIn::start(listener, Arc::new(SystemClock), options).unwrap();
        let proxy = Proxy::start(&cal.base_url());
        let env = [
            ("SECRET", SECRET.to_owned()),
            ("ADMIN", ADMIN_TOKEN.to_owned()),
            ("KEY", cal.api_key().to_owned()),
        ];
        let posts = (0..setup.daemons).map(|number| Post::new(&of_daemon(number), env.to_vec()));
        let posts: Vec<_> = posts.collect();
        let public: Vec<_> = posts.iter().map(|post| post.public).collect();
        let (relay, url) = Relay::start(&public, random.fork()).await;
        cal.subscribe(Subscription::to_everything(url, SECRET))
            .unwrap();
        for post in &posts {
            let text = settings(post, &store, &proxy, setup.acknowledge, &policies);
            post.write_settings(&text);
        }
        let http = super::http()
            .timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .unwrap();
        let slot = |post| Slot {
            post,
            daemon: tokio::sync::Mutex::default(),
        };
        let world = Arc::new(Self {
            setup,
            slots: posts.into_iter().map(slot).collect(),
            relay,
            proxy,
            cal,
            http,
            store,
            disk,
            violations: Mutex::default(),
            folder: Mutex::new(folder),
        });
        for slot in &world.slots {
            world.begin(slot).await;
        }
        Some(world)
    }

    /// Starts the daemon of a slot.
    pub(crate) async fn begin(&self, slot: &Slot) {
        let daemon = slot.post.start(&self.http).await;
        *slot.daemon.lock().await = Some(daemon);
    }

    /// Takes the daemon out of its slot, to end it.
    pub(crate) async fn take(&self, slot: &Slot) -> Daemon {
        let mut daemon = slot.daemon.lock().await.take().expect("it was started");
        if let Some(status) = daemon.ended() {
            self.violated(format!(
                "a daemon ended by itself, {status}:\n{}",
                slot.post.log()
            ));
        }
        daemon
    }

    /// Ends all daemons in order.
    pub(crate) async fn end(&self) {
        for slot in &self.slots {
            let daemon = self.take(slot).await;
            self.terminate(slot, daemon).await;
        }
    }

    /// Ends a daemon in order.
    pub(crate) async fn terminate(&self, slot: &Slot, daemon: Daemon) {
        let status = daemon.terminate().await;
        if !status.is_some_and(|status| status.success()) {
            let log = slot.post.log();
            self.violated(format!("a daemon did not stop well, {status:?}:\n{log}"));
        }
    }

    /// Notes that something happened that must not.
    pub(crate) fn violated(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// Leaves the folder behind, for a person to look at.
    pub(crate) fn keep_folder(&self) -> PathBuf {
        let mut folder = self.folder.lock().unwrap();
        folder.disable_cleanup(true);
        folder.path().to_owned()
    }

    /// An answer of one daemon's admin door, `None` if there is none.
    pub(crate) async fn get(&self, slot: &Slot, path: &str) -> Option<Value> {
        let url = format!("http://{}{path}", slot.post.admin);
        let answer = self.http.get(url).bearer_auth(ADMIN_TOKEN).send().await;
        answer.ok()?.json().await.ok()
    }
}

/// Short times, so that what a dead worker left behind is taken up soon; and so many retries that only
/// a fault that never ends makes a dead letter.
fn settings(
    post: &Post,
    store: &Store,
    proxy: &Proxy,
    acknowledge: &str,
    policies: &std::path::Path,
) -> String {
    let acknowledge = match acknowledge {
        "" => String::new(),
        when => format!("acknowledge = \"{when}\""),
    };
    format!(
        r#"
[server]
listen = "{public}"
admin_listen = "{admin}"
{acknowledge}
[storage]
url = "{url}"
tls = "disable"
[policies]
dir = "{policies}"
[admin.tokens.ops]
role = "admin"
secret = "env:ADMIN"
[worker]
lease_ms = 1000
attempt_grace_ms = 100
circuit_wait_ms = 100
circuit_wait_ms_max = 1000
retry_schedule_ms = [{retries}]
[sources.calcom]
provider = "calcom"
signing_secrets = ["env:SECRET"]
settle_ms = 3000
[sources.calcom.api]
base_url = "{base}"
key = "env:KEY"
requests_per_minute = 0
connect_timeout_ms = 1000
call_timeout_ms = 1000
"#,
        public = post.public,
        admin = post.admin,
        url = store.url(),
        policies = policies.display(),
        retries = "100, 200, 400, 800, ".to_owned() + &["3200"; 28].join(", "),
        base = proxy.base_url(),
    )
}
