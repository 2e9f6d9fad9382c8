//! A PostgreSQL of the tests' own: a cluster in a temporary folder, on an address of its own, as durable
//! as a real one. It can be stopped, killed and started again, and is gone when its test process is,
//! however that ends. Self-contained, so that unit tests can include this file too.
#![allow(
    dead_code,
    reason = "each crate that includes this file uses a part of it"
)]

use std::fs::{File, Permissions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// The folder with `initdb`, `postgres` and `psql`, where it cannot be found otherwise.
const BINARIES_VARIABLE: &str = "BOOKGATE_TEST_POSTGRES_BIN";
const BINARIES: [&str; 3] = ["initdb", "postgres", "psql"];
/// Where Debian and its like keep each version's.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Who may do everything, and who the databases belong to.
const SUPERUSER: &str = "postgres";
pub(crate) const ROLE: &str = "bookgate";
/// Connections of the shared cluster. A few more are kept for the superuser.
const CONNECTIONS_MAX: u32 = 100;
/// Between two looks at the server, and looks before it is given up: a minute.
const POLL: Duration = Duration::from_millis(25);
const LOOKS_MAX: usize = 2_400;

/// Ends the server and removes its folder once nobody holds the other end of its input any more: the
/// only way to be rid of both after a test process was killed.
const WARDEN: &str = r#"
cat >/dev/null
if pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; then
  looks=100
  while kill -0 "$pid" 2>/dev/null && [ "$looks" -gt 0 ]; do sleep 0.1; looks=$((looks - 1)); done
fi
rm -rf "$0"
"#;

/// How a server is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ends all sessions, and writes everything out.
    Fast,
    /// Drops everything; the next start recovers.
    Immediate,
}

/// A cluster. Ended and removed when dropped.
pub(crate) struct Postgres {
    binaries: PathBuf,
    folder: PathBuf,
    /// User and group that run it, if others than ours.
    runs_as: Option<(u32, u32)>,
    address: SocketAddr,
    server: Option<Child>,
    warden: Child,
    databases: AtomicU32,
}

impl Postgres {
    /// The one that all tests of this process may use, each with a database of its own. `None` where
    /// PostgreSQL is not installed, which is said loudly, and is a failure in CI.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(CONNECTIONS_MAX)).as_ref()
    }

    /// One for a test that stops it or uses up its connections.
    pub(crate) fn start(connections_max: u32) -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::Builder::new()
            .prefix("bookgate-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        let runs_as = geteuid().is_root().then(unprivileged);
        if let Some((user, group)) = runs_as {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let warden = Command::new("sh")
            .args(["-c", WARDEN])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut cluster = Self {
            binaries: binaries.to_owned(),
            folder,
            runs_as,
            address: own_free_address(),
            server: None,
            warden,
            databases: AtomicU32::new(0),
        };
        cluster.initialize(connections_max);
        cluster.resume();
        cluster.sql("postgres", &format!("CREATE ROLE {ROLE} LOGIN"));
        Some(cluster)
    }

    fn initialize(&self, connections_max: u32) {
        let output = self
            .command("initdb")
            .args(["--auth=trust", "--encoding=UTF8", "--no-locale"])
            .args(["--wal-segsize=1", "--no-sync"])
            .arg(format!("--username={SUPERUSER}"))
            .arg("--pgdata")
            .arg(self.data())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "initdb: {}: {said}", output.status);
        let settings = format!(
            "
listen_addresses = '{ip}'
port = {port}
unix_socket_directories = ''
max_connections = {connections_max}
shared_buffers = 16MB
min_wal_size = 2MB
max_wal_size = 64MB
# What promises rest on; all of it is the default.
fsync = on
synchronous_commit = on
full_page_writes = on
",
            ip = self.address.ip(),
            port = self.address.port(),
        );
        self.configure(&settings);
    }

    /// Starts it again, and waits until it has recovered and answers.
    pub(crate) fn resume(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let server = self.server.insert(server);
        for _ in 0..LOOKS_MAX {
            if let Some(status) = server.try_wait().unwrap() {
                panic!("PostgreSQL ended with {status}:\n{}", self.log());
            }
            if psql(&self.binaries, self.address, "postgres", "SELECT 1").is_ok() {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("PostgreSQL does not start:\n{}", self.log());
    }

    /// Stops it in order, and waits for its end.
    pub(crate) fn stop(&mut self, how: Stop) {
        let mut server = self.server.take().expect("it runs");
        let signal = match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        };
        send(server.id(), signal);
        server.wait().unwrap();
    }

    /// SIGKILL for the server and all its processes at once, as when the machine dies.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        let children = children_of(server.id());
        server.kill().unwrap();
        for child in children {
            send(child, Signal::KILL);
        }
        server.wait().unwrap();
        // Else the warden might mistake a later process for this one.
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Stops all its processes where they are, as a disk or a machine does that hangs: the system still
    /// takes connections for it, and nobody answers. [`Postgres::thaw`] lets it go on.
    pub(crate) fn freeze(&self) {
        self.each_process(stand_still);
    }

    /// Lets it go on as if nothing had happened.
    pub(crate) fn thaw(&self) {
        self.each_process(|pid| send(pid, Signal::CONT));
    }

    /// The server first: once it stands still it starts no further processes.
    fn each_process(&self, act: impl Fn(u32)) {
        let server = self.server.as_ref().expect("it runs").id();
        act(server);
        children_of(server).into_iter().for_each(act);
    }

    /// From the next start on, the server encrypts with this certificate and its key, both in PEM.
    pub(crate) fn encrypt(&self, certificate: &str, key: &str) {
        self.write_privately("server.crt", certificate);
        self.write_privately("server.key", key);
        self.configure("ssl = on\n");
    }

    /// From the next start on, connections of [`ROLE`] are taken by these lines of `pg_hba.conf` only.
    pub(crate) fn admit(&self, lines: &str) {
        let superuser = format!("host all {SUPERUSER} all trust\n");
        self.write_privately("pg_hba.conf", &format!("{superuser}{lines}\n"));
    }

    /// Further lines of `postgresql.conf`.
    fn configure(&self, lines: &str) {
        let path = self.data().join("postgresql.conf");
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// A file that only the server's user can read, as it wants of keys.
    fn write_privately(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.runs_as {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// Whether it was started and not stopped.
    pub(crate) fn runs(&self) -> bool {
        self.server.is_some()
    }

    /// Makes an empty database that belongs to the role of [`Postgres::url`]. Gives its name.
    pub(crate) fn create_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {ROLE}"));
        name
    }

    /// Makes a copy of a database that nobody is connected to. Gives its name.
    pub(crate) fn copy_database(&self, model: &str) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let copy = format!("CREATE DATABASE {name} TEMPLATE {model} OWNER {ROLE}");
        self.sql("postgres", &copy);
        name
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a daemon finds a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@{}/{database}", self.address)
    }

    /// Runs SQL as the superuser, in one transaction. Gives the rows, one a line, columns split by `|`.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}\n{}", self.log()))
    }

    /// As [`Postgres::sql`], for a server that may be stopped.
    pub(crate) fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        psql(&self.binaries, self.address, database, sql)
    }

    /// Ends one session of a database, the one that `choice` falls on; none if there is none. Says
    /// whether one was ended.
    pub(crate) fn terminate_backend(&self, database: &str, choice: u32) -> bool {
        let sql = format!(
            "WITH those AS (
               SELECT pid, row_number() OVER (ORDER BY pid) - 1 AS place, count(*) OVER () AS number
               FROM pg_stat_activity
               WHERE datname = current_database() AND usename = '{ROLE}'
             )
             SELECT pg_terminate_backend(pid) FROM those WHERE place = {choice} % number"
        );
        self.try_sql(database, &sql)
            .is_ok_and(|answer| answer == "t")
    }

    /// The end of what the server said.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// A command that runs as the cluster's user.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some((user, group)) = self.runs_as {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.runs() {
            self.thaw(); // a story that fails may leave it frozen
            self.stop(Stop::Immediate);
        }
        drop(self.warden.stdin.take());
        let _ = self.warden.wait();
    }
}

fn psql(binaries: &Path, address: SocketAddr, database: &str, sql: &str) -> Result<String, String> {
    let output = Command::new(binaries.join("psql"))
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
        .args(["--set=ON_ERROR_STOP=1", "--no-password"])
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--username={SUPERUSER}"))
        .arg(format!("--dbname={database}"))
        .arg(format!("--command={sql}"))
        .stdin(Stdio::null())
        .env("PGCONNECT_TIMEOUT", "10")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Where PostgreSQL is installed. Looks and complains once.
fn binaries() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find_binaries).as_deref()
}

fn find_binaries() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| BINARIES.iter().all(|name| folder.join(name).is_file());
    if let Some(folder) = std::env::var_os(BINARIES_VARIABLE).map(PathBuf::from) {
        let shown = folder.display();
        assert!(
            complete(&folder),
            "{BINARIES_VARIABLE}={shown}: not all of {BINARIES:?} are there"
        );
        return Some(folder);
    }
    // Wrappers and links may be on the path: what belongs together lies where the links lead.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .filter_map(|folder| folder.join(BINARIES[0]).canonicalize().ok())
        .filter_map(|binary| binary.parent().map(Path::to_owned));
    let mut versions: Vec<_> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    let found = on_path.chain(versions.into_iter().rev()).find(complete);
    if found.is_none() {
        let missing = format!(
            "PostgreSQL is not installed (looked for {BINARIES:?} in PATH and {DEBIAN}/*/bin): \
             install the Debian package `postgresql`, or set {BINARIES_VARIABLE} to their folder"
        );
        let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!in_ci, "{missing}");
        eprintln!("\n*** NOT TESTED: the store in PostgreSQL.\n*** {missing}.\n");
    }
    found
}

/// The user and group to run as in root's place: PostgreSQL refuses to run as root.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let mut lines = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let fields = lines.find(|fields| fields.len() > 3 && fields[0] == name)?;
        Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
    };
    find(SUPERUSER)
        .or_else(|| find("nobody"))
        .expect("/etc/passwd names `postgres` or `nobody`")
}

/// The processes that a process has started. Elsewhere than on Linux none are found: PostgreSQL's end
/// by themselves when they see that their server has gone.
fn children_of(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| state_and_parent(*pid).is_some_and(|(_, of)| of == parent);
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_child)
        .collect()
}

/// The letter of a process's state, and its parent, where the system tells.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in brackets, may contain anything.
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace();
    let state = after_name.next()?.chars().next()?;
    Some((state, after_name.next()?.parse().ok()?))
}

/// Stops a process and waits until it has stopped: after the signal alone it may go on for a while on
/// another processor, and start a process that would be overlooked.
fn stand_still(pid: u32) {
    send(pid, Signal::STOP);
    // Stopped, dead or gone.
    while state_and_parent(pid).is_some_and(|(state, _)| !matches!(state, 'T' | 't' | 'Z' | 'X')) {
        std::thread::yield_now();
    }
}

/// Signals a process that may just have ended.
fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _ = kill_process(pid.expect("a process has a positive id"), signal);
}

/// An address of this process's own where there are plenty, so that nobody takes a port of it while
/// its server is down.
pub(crate) fn own_free_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let ip = if cfg!(target_os = "linux") {
        let [.., high, low] = std::process::id().to_be_bytes();
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Ipv4Addr::new(127, 64 | (high & 63), low, next)
    } else {
        Ipv4Addr::LOCALHOST
    };
    let listener = TcpListener::bind((ip, 0)).unwrap();
    listener.local_addr().unwrap()
}
