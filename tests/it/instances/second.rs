//! A second daemon on the same database, on a runtime of its own: so it can die, with all its tasks, in
//! the middle of whatever they do.

use std::net::SocketAddr;
use std::sync::Arc;

use bookgate::app::{App, Listeners};
use bookgate::domain::clock::Clock;
use bookgate::gate::Gate;
use bookgate::settings::{Database, Settings};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{ADMIN_TOKEN, Installation, answer};
use crate::rig::postgres::Postgres;

pub(crate) struct Second {
    runtime: Runtime,
    gate: Gate,
    public: SocketAddr,
    admin: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Second {
    /// Starts it beside the first, with a journal of its own.
    pub(crate) async fn start(it: &Installation) -> Self {
        let mut settings = it.settings().clone();
        settings.journal.dir = it.folder().join("second-journal");
        let clock: Arc<dyn Clock> = it.clock.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let (there, until) = (runtime.handle().clone(), stop.clone());
        let opening = move || there.block_on(open(settings, clock, until));
        let (gate, public, admin, task) = tokio::task::spawn_blocking(opening).await.unwrap();
        Self {
            runtime,
            gate,
            public,
            admin,
            stop,
            task,
        }
    }

    /// Where its webhooks come in.
    pub(super) fn webhooks(&self) -> String {
        format!("http://{}/webhooks/calcom", self.public)
    }

    /// What its admin endpoint answers.
    pub(super) async fn get(&self, path: &str) -> Value {
        let request = crate::rig::client().get(format!("http://{}{path}", self.admin));
        let (status, body) = answer(request.bearer_auth(ADMIN_TOKEN)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// What its admin endpoint answers, as text.
    pub(crate) async fn text(&self, path: &str) -> String {
        let request = crate::rig::client().get(format!("http://{}{path}", self.admin));
        let answer = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Waits until it has nothing left to do now.
    pub(super) async fn settle(&self) {
        let gate = self.gate.clone();
        let settled = self.runtime.spawn(async move { gate.settle().await });
        settled.await.unwrap();
    }

    /// Asks it to stop in order; [`Second::stopped`] waits until it has.
    pub(super) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it in order.
    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.runtime.shutdown_background();
    }

    /// Ends it as it stands: no task takes another step.
    pub(crate) fn die(self) {
        self.runtime.shutdown_background();
    }
}

type Opened = (Gate, SocketAddr, SocketAddr, JoinHandle<anyhow::Result<()>>);

/// Opens it and lets it run on the runtime that this is called on.
async fn open(settings: Settings, clock: Arc<dyn Clock>, until: CancellationToken) -> Opened {
    let app = App::open(&settings, clock).await.unwrap();
    let listeners = Listeners {
        public: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        admin: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let public = listeners.public.local_addr().unwrap();
    let admin = listeners.admin.local_addr().unwrap();
    let gate = app.gate.clone();
    let task = tokio::spawn(app.run(listeners, until));
    (gate, public, admin, task)
}

/// The chains that are leased now, as `chain|owner`.
pub(super) fn leased(it: &Installation) -> Vec<String> {
    let Database::Postgres(url) = &it.settings().storage.database else {
        panic!("not on a server");
    };
    let (_, database) = url.expose().rsplit_once('/').unwrap();
    let sql = "SELECT id, lease_owner FROM chain WHERE lease_owner IS NOT NULL ORDER BY id";
    let rows = Postgres::shared().unwrap().sql(database, sql);
    rows.lines().map(str::to_owned).collect()
}

/// Waits until neither has anything left to do, nor holds anything: what one does may bring work to the
/// other.
pub(crate) async fn settle_both(it: &Installation, second: &Second) {
    loop {
        it.settle().await;
        second.settle().await;
        if leased(it).is_empty() {
            return;
        }
    }
}
