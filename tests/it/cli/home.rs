//! A folder to run the binary in, and the daemon as a process.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_bookgate");
/// Longer than anything here takes in earnest: what hangs fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Told {
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    /// What stderr says of a command that ended with `code`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }
}

/// A folder that `init` filled, and the environment to run in.
pub(crate) struct Home {
    folder: TempDir,
    pub(crate) env: Vec<(String, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let mut home = Self {
            folder: tempfile::tempdir().unwrap(),
            env: Vec::new(),
        };
        home.run(&["init"]).done();
        let secrets = std::fs::read_to_string(home.path("bookgate.env")).unwrap();
        let pairs = secrets.lines().filter(|line| !line.starts_with('#'));
        for (name, value) in pairs.filter_map(|line| line.split_once('=')) {
            home.set(name, value);
        }
        home.set("BOOKGATE_CALCOM_API_KEY", "cal_nobody");
        home.set("BOOKGATE__LOG__FORMAT", "json");
        // Any free port: the daemon's log says which.
        home.set("BOOKGATE__SERVER__LISTEN", "127.0.0.1:0");
        home.set("BOOKGATE__SERVER__ADMIN_LISTEN", "127.0.0.1:0");
        home
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(set, _)| set != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.env.retain(|(set, _)| set != name);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(line).current_dir(self.folder.path());
        command.env_clear().envs(self.env.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Told {
        let output = self.command(line).output().unwrap();
        Told {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn serve(&self) -> Daemon {
        Daemon::start(self.command(&["serve"]))
    }

    /// Asks again until the answer is as it should be: the daemon works on its own time.
    #[track_caller]
    pub(crate) fn wait_for(&self, line: &[&str], is_right: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let told = self.run(line);
            let answer = serde_json::from_str(&told.stdout).unwrap_or(Value::Null);
            if is_right(&answer) {
                return answer;
            }
            assert!(started.elapsed() < PATIENCE, "{line:?}: {told:?}");
        }
    }
}

/// A daemon that serves. It does not outlive its test.
pub(crate) struct Daemon {
    pub(crate) process: Child,
    pub(crate) log: Receiver<Value>,
    pub(crate) public: String,
    pub(crate) admin: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    /// Starts it and waits for the line that says where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (to_test, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.unwrap();
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                // A test that has seen enough no longer listens.
                let _ = to_test.send(line);
            }
        });
        let mut daemon = Self {
            process,
            log,
            public: String::new(),
            admin: String::new(),
        };
        let line = daemon.wait_for_line("listening");
        let url = |key: &str| format!("http://{}", line[key].as_str().unwrap());
        (daemon.public, daemon.admin) = (url("listen"), url("admin_listen"));
        daemon
    }

    #[track_caller]
    pub(crate) fn wait_for_line(&self, message: &str) -> Value {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line["message"] == message => return line,
                Ok(line) => seen.push(line),
                Err(error @ (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                    panic!("no line `{message}` ({error}): {seen:#?}")
                }
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait_for_line("stopped");
        self.process.wait().unwrap().code()
    }

    pub(crate) fn webhooks(&self) -> String {
        format!("{}/webhooks/calcom", self.public)
    }
}

/// An address that is this test's alone: a port that is free at 127.0.0.1 may be another's a moment later, so
/// each gets an address of its own on the loopback network.
pub(crate) fn free_address() -> String {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let own = Ipv4Addr::new(127, 128 | high, low, number);
    let listener = std::net::TcpListener::bind((own, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}
