//! A PostgreSQL of our own: a new cluster in a temporary folder, with the defaults that `initdb` gives
//! (so with `fsync`), listening on loopback only, and gone at the end.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::process::{Server, cpu_of_family, free_address};
use crate::store::{Session, Store};

/// PostgreSQL will not run as root; then it is run as this user, which its packages make.
const USER: &str = "postgres";
/// Who owns the cluster's databases.
const ROLE: &str = "bench";

/// A running cluster.
pub(crate) struct Cluster {
    server: Option<Server>,
    address: SocketAddr,
    admin: Session,
    databases: u32,
    _folder: TempDir,
}

impl Cluster {
    /// Makes one and starts it. `counting`: it keeps count of its statements, which costs a little.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub(crate) fn start(parent: &Path, counting: bool) -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("pg-").tempdir_in(parent)?;
        let user = other_user()?;
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(folder.path());
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
        };
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        let data = folder.path().join("data");
        let made = command("initdb")
            .args([
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--username",
                ROLE,
                "--pgdata",
            ])
            .arg(&data)
            .stdin(Stdio::null())
            .output()
            .context("cannot run initdb")?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let address = free_address()?;
        let mut server = command("postgres");
        server.arg("-D").arg(&data);
        server.arg("-h").arg(address.ip().to_string());
        server.arg("-p").arg(address.port().to_string());
        // No socket file: its path would be too long in many a temporary folder.
        server.args(["-c", "unix_socket_directories="]);
        if counting {
            server.args(["-c", "shared_preload_libraries=pg_stat_statements"]);
        }
        let log = folder.path().join("postgres.log");
        let server = Server::start(server, address, &log)?;
        let admin = Self::when_ready(&url(address, "postgres"))?;
        Ok(Self {
            server: Some(server),
            address,
            admin,
            databases: 0,
            _folder: folder,
        })
    }

    fn when_ready(url: &str) -> Result<Session> {
        let store = Store::Postgres(url.to_owned());
        // It listens a little before it lets anybody in.
        for _ in 0..500 {
            if let Ok(session) = store.open() {
                return Ok(session);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        store.open()
    }

    /// A new, empty database.
    pub(crate) fn database(&mut self) -> Result<Store> {
        self.databases += 1;
        let name = format!("bench_{}", self.databases);
        self.admin.run(&format!("CREATE DATABASE {name}"))?;
        // What came before shall not be flushed in the middle of what comes.
        self.admin.run("CHECKPOINT")?;
        Ok(Store::Postgres(url(self.address, &name)))
    }

    /// Processor time that all its processes have taken.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let server = self.server.as_ref().context("the cluster has ended")?;
        cpu_of_family(server.id())
    }

    /// What it is.
    pub(crate) fn version(&mut self) -> Result<String> {
        let version = self.admin.texts("SHOW server_version", 0)?;
        Ok(version.into_iter().next().unwrap_or_default())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // If it does not end in order it is killed; nothing in it is needed any more.
            let _ = server.stop(rustix::process::Signal::INT);
        }
    }
}

fn url(address: SocketAddr, database: &str) -> String {
    format!("postgres://{ROLE}@{address}/{database}")
}

/// The folder of `initdb` and `postgres`: of the newest version, where several are installed.
fn programs() -> Result<PathBuf> {
    let asked = Command::new("pg_config").arg("--bindir").output();
    if let Ok(answer) = asked {
        let folder = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
        if folder.join("initdb").exists() {
            return Ok(folder);
        }
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_string_lossy().parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    versions.sort();
    let newest = versions.pop();
    newest
        .map(|(_, folder)| folder)
        .context("no PostgreSQL server is installed")
}

/// Ids of the user to run as, if we are root.
fn other_user() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(USER));
    let line =
        line.with_context(|| format!("root cannot run PostgreSQL, and there is no user `{USER}`"))?;
    let mut ids = line.split(':').skip(2).map(str::parse);
    match (ids.next(), ids.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Ok(Some((user, group))),
        _ => anyhow::bail!("cannot read the ids of user `{USER}`"),
    }
}
