//! The real process, started and ended from outside, and a relay in front of it that remembers which
//! webhooks it acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

/// Between two looks at something that another process is about to do.
pub(super) const POLL: Duration = Duration::from_millis(25);
/// Looks before a process that hangs is given up: half a minute.
const LOOKS_MAX: usize = 1_200;

/// Where a daemon is started again and again.
pub(super) struct Post {
    pub(super) public: SocketAddr,
    pub(super) admin: SocketAddr,
    settings: PathBuf,
    env: Vec<(&'static str, String)>,
    log: PathBuf,
}

impl Post {
    pub(super) async fn new(folder: &Path, env: Vec<(&'static str, String)>) -> Self {
        let ip = own_address();
        Self {
            public: free_port(ip).await,
            admin: free_port(ip).await,
            settings: folder.join("bookgate.toml"),
            env,
            log: folder.join("daemon.log"),
        }
    }

    pub(super) fn write_settings(&self, text: &str) {
        std::fs::write(&self.settings, text).unwrap();
    }

    /// Starts a daemon and waits until it takes webhooks.
    pub(super) async fn start(&self, http: &reqwest::Client) -> Daemon {
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_bookgate"))
            .arg("--config")
            .arg(&self.settings)
            .arg("serve")
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Daemon(child);
        let ready = format!("http://{}/readyz", self.public);
        for _ in 0..LOOKS_MAX {
            let answer = http.get(&ready).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return daemon;
            }
            if let Some(status) = daemon.0.try_wait().unwrap() {
                panic!("the daemon ended with {status}:\n{}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("the daemon does not become ready:\n{}", self.log());
    }

    /// The end of what the daemons said.
    pub(super) fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

/// A running daemon. Killed when dropped, so that a failing test leaves none behind.
pub(super) struct Daemon(Child);

impl Daemon {
    /// SIGKILL: no time for anything.
    pub(super) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM, and its end within the grace.
    pub(super) async fn terminate(mut self) -> ExitStatus {
        let kill = format!("kill -TERM {}", self.0.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success(), "{kill}: {sent}");
        for _ in 0..LOOKS_MAX {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("the daemon does not stop");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill(); // mostly ended already
        let _ = self.0.wait();
    }
}

/// An address of this test's own, so that nobody takes its ports while the daemon is down.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    if cfg!(target_os = "linux") {
        let [.., high, low] = std::process::id().to_be_bytes();
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Ipv4Addr::new(127, 64 | (high & 63), low, next)
    } else {
        Ipv4Addr::LOCALHOST
    }
}

async fn free_port(ip: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

/// What was acknowledged with 200: the bodies, by booking.
pub(super) type Acknowledged = BTreeMap<String, BTreeSet<Bytes>>;

/// Stands between the provider and the daemon.
#[derive(Clone)]
pub(super) struct Relay {
    http: reqwest::Client,
    to: String,
    acknowledged: Arc<Mutex<Acknowledged>>,
}

impl Relay {
    /// Starts it; gives its own address too.
    pub(super) async fn start(http: reqwest::Client, to: SocketAddr) -> (Self, String) {
        let relay = Self {
            http,
            to: format!("http://{to}/webhooks/calcom"),
            acknowledged: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass_on).with_state(relay.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (relay, url)
    }

    pub(super) fn acknowledged(&self) -> Acknowledged {
        self.acknowledged.lock().unwrap().clone()
    }
}

async fn pass_on(State(relay): State<Relay>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut request = relay.http.post(&relay.to).body(body.clone());
    for name in ["content-type", "x-cal-signature-256"] {
        request = request.header(name, &headers[name]);
    }
    let Ok(answer) = request.send().await else {
        return StatusCode::BAD_GATEWAY;
    };
    if answer.status().is_success() {
        let webhook: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let uid = webhook["payload"]["uid"].as_str().unwrap().to_owned();
        let mut acknowledged = relay.acknowledged.lock().unwrap();
        acknowledged.entry(uid).or_default().insert(body);
    }
    answer.status()
}
