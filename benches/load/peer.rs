//! The peer: `benches/peer`, a receiver on Express and PostgreSQL, installed from its lock file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{Server, free_address};
use crate::store::Store;
use crate::webhooks::SECRET;

const FILES: [&str; 3] = ["package.json", "package-lock.json", "server.js"];

/// The peer, installed.
pub(crate) struct Peer {
    folder: PathBuf,
}

impl Peer {
    /// Installs it under `parent`.
    ///
    /// # Errors
    /// Node or npm is missing, or cannot fetch the packages.
    pub(crate) fn install(parent: &Path) -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer");
        let folder = parent.join("peer");
        fs::create_dir_all(&folder)?;
        for name in FILES {
            fs::copy(source.join(name), folder.join(name))?;
        }
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&folder)
            .output()
            .context("cannot run npm")?;
        let said = String::from_utf8_lossy(&installed.stderr);
        ensure!(installed.status.success(), "npm ci failed: {said}");
        Ok(Self { folder })
    }

    /// Starts it on an empty database.
    pub(crate) fn start(&self, store: &Store, log: &Path) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new("node");
        command
            .arg("server.js")
            .current_dir(&self.folder)
            .env("NODE_ENV", "production")
            .env("PORT", address.port().to_string())
            .env("DATABASE_URL", store.url())
            .env("SIGNING_SECRET", SECRET);
        Server::start(command, address, log)
    }
}
