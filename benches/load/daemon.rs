//! bookgate as it is installed: the real program with a settings file, a policy that charges credit,
//! and a folder of its own for journal and store. What is not written here is left at its default.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::client::{Load, drive};
use crate::process::{Server, free_address};
use crate::store::Store;
use crate::webhooks::{self, BOOKERS, SECRET};

const ADMIN_TOKEN: &str = "bench-admin-token-bench-admin-token";
const POLICY: &str = r#"
schema = 1
[policy]
id = "reading-circle"
[match]
event_types = ["exec-book-club"]
[credits]
unit = "CREDIT"
cost = { base = "2" }
refund = [{ notice = "0s", percent = 100 }]
[[criterion]]
id = "enough-notice"
kind = "notice"
min = "24h"
max = "60d"
message = "Sessions are booked between {min} and {max} ahead."
[[criterion]]
id = "has-credit"
kind = "credit"
message = "This costs {cost} credits and you have {available}."
[require]
all = ["enough-notice", "has-credit"]
[[test]]
name = "credit pays"
given = { account = { available = "2" } }
expect = { decision = "accept", held = "2" }
"#;

/// What differs between installations.
#[derive(Clone)]
pub(crate) struct Setup<'s> {
    /// Where the journal and the log are, and the store if it is a file.
    pub(crate) folder: &'s Path,
    pub(crate) store: &'s Store,
    /// `journal`, `database` or `auto`.
    pub(crate) acknowledge: &'static str,
    /// Cal.com's API.
    pub(crate) calcom: SocketAddr,
}

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) server: Server,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts one. A folder that was used before is taken up again.
    pub(crate) fn start(setup: &Setup<'_>) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let settings = write_files(setup, address, admin)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_bookgate"));
        command.arg("--config").arg(&settings).arg("serve");
        let server = Server::start(command, address, &setup.folder.join("daemon.log"))?;
        Ok(Self { server, admin })
    }

    /// Gives every booker more credit than the runs can use.
    pub(crate) fn top_up(&self) -> Result<()> {
        let load = Load {
            per_second: None,
            count_max: BOOKERS,
            time_max: Duration::from_secs(60),
        };
        let body = r#"{"amount":"90000000","unit":"CREDIT","reason":"bench"}"#;
        let outcome = drive(self.admin, load, 0, &mut |index, out| {
            let owner = webhooks::booker(index);
            let request = format!(
                "POST /v1/accounts/{owner}/top-ups HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
                 idempotency-key: bench-{index}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            out.extend_from_slice(request.as_bytes());
        })?;
        ensure!(
            outcome.refused.is_empty(),
            "a top-up was answered HTTP {:?}",
            outcome.refused.first()
        );
        Ok(())
    }
}

fn write_files(setup: &Setup<'_>, address: SocketAddr, admin: SocketAddr) -> Result<PathBuf> {
    let folder = setup.folder;
    fs::create_dir_all(folder.join("policies"))?;
    fs::write(folder.join("policies/reading-circle.toml"), POLICY)?;
    fs::write(folder.join("signing-secret"), SECRET)?;
    fs::write(folder.join("admin-token"), ADMIN_TOKEN)?;
    fs::write(folder.join("api-key"), "cal_bench")?;
    let text = format!(
        r#"
[server]
listen = "{address}"
admin_listen = "{admin}"
acknowledge = "{acknowledge}"
[storage]
url = "{url}"
[admin.tokens.bench]
role = "admin"
secret = "file:admin-token"
[sources.calcom]
provider = "calcom"
signing_secrets = ["file:signing-secret"]
[sources.calcom.api]
base_url = "http://{calcom}"
key = "file:api-key"
requests_per_minute = 0
"#,
        acknowledge = setup.acknowledge,
        url = setup.store.url(),
        calcom = setup.calcom,
    );
    let path = folder.join("bookgate.toml");
    fs::write(&path, text)?;
    Ok(path)
}
