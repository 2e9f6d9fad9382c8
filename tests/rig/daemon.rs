//! The real process, started and ended from outside.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::POLL;
use super::postgres::own_free_address;

/// Looks before a process that hangs is given up: a minute.
const LOOKS_MAX: usize = 2_400;

/// Where a daemon is started again and again.
pub(crate) struct Post {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl Post {
    pub(crate) fn new(folder: &Path, env: Vec<(&'static str, String)>) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        Self {
            public: own_free_address(),
            admin: own_free_address(),
            folder: folder.to_owned(),
            env,
        }
    }

    pub(crate) fn write_settings(&self, text: &str) {
        std::fs::write(self.settings(), text).unwrap();
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("bookgate.toml")
    }

    /// Starts a daemon and waits until it takes webhooks, which it does whatever else is down.
    pub(crate) async fn start(&self, http: &reqwest::Client) -> Daemon {
        let mut daemon = self.spawn();
        let ready = format!("http://{}/readyz", self.public);
        for _ in 0..LOOKS_MAX {
            let answer = http.get(&ready).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return daemon;
            }
            tokio::time::sleep(POLL).await;
            if let Some(status) = daemon.ended() {
                panic!("a daemon did not start, {status}:\n{}", self.log());
            }
        }
        panic!("no daemon becomes ready:\n{}", self.log());
    }

    fn spawn(&self) -> Daemon {
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true).open(self.log_path()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_bookgate"))
            .arg("--config")
            .arg(self.settings())
            .arg("serve")
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Daemon(child)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("daemon.log")
    }

    /// All that the daemons said.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap()
    }

    /// The end of what the daemons said.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

/// A running daemon. Killed when dropped, so that a failing test leaves none behind.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// How it ended, if it did so by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// SIGKILL: no time for anything.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM, and its end; `None` if it does not come.
    pub(crate) async fn terminate(mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        for _ in 0..LOOKS_MAX {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            tokio::time::sleep(POLL).await;
        }
        None
    }

    /// Stops it where it is, as a machine does that is short of everything.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on as if nothing had happened.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.0.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill(); // mostly ended already
        let _ = self.0.wait();
    }
}
