//! The measurements behind every claim of speed: `cargo bench`. What each figure means, and what to
//! beware of, is in `benches/README.md`. Nothing here fails because something was slow; only because
//! something was refused or lost.

mod acknowledge;
mod bare;
mod calcom;
mod client;
mod daemon;
mod decisions;
mod disk;
mod explain;
mod figures;
mod growth;
mod hoard;
mod peer;
mod postgres;
mod process;
mod store;
mod webhooks;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use calcom::Calcom;
use peer::Peer;
use postgres::Cluster;
use webhooks::Webhooks;

/// Measures bookgate.
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench load --")]
struct Arguments {
    /// What to measure [default: acknowledge and decisions]
    parts: Vec<Part>,
    /// Less than two minutes; good for finding out whether it runs, not for claims
    #[arg(long)]
    quick: bool,
    /// Rounds, of which the median is taken [default: 3; 1 with --quick]
    #[arg(long)]
    rounds: Option<usize>,
    /// growth and explain: the most bookings stored
    #[arg(long, default_value_t = 100_000)]
    bookings: u64,
    /// acknowledge and decisions: beside the bare handler, only those whose name contains this, such as "SQLite, acknowledged by the database"
    #[arg(long, default_value = "")]
    only: String,
    /// explain: also every plan in full
    #[arg(long)]
    all: bool,
    /// Given by cargo; means nothing
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// How fast webhooks are acknowledged, beside a bare handler and Express
    Acknowledge,
    /// How many bookings are decided a second
    Decisions,
    /// What a decision costs as stored bookings grow
    Growth,
    /// How both stores would carry out every statement
    Explain,
}

/// How much is measured.
struct Scale {
    rounds: usize,
    /// Of each load, in each round.
    time: Duration,
    /// How long the inbox may take to catch up with a flood.
    catch_up: Duration,
    /// Bookings decided in each round, in a crowd and without one.
    decisions: u64,
    calm: u64,
    /// Webhooks signed beforehand: no server can take more in one round.
    webhooks: u64,
}

/// What every measurement uses.
pub(crate) struct World {
    folder: TempDir,
    scale: Scale,
    webhooks: Webhooks,
    calcom: Calcom,
    cluster: Option<Cluster>,
    peer: Option<Peer>,
}

impl World {
    fn new(scale: Scale, parts: &[Part]) -> Result<Self> {
        // On the disk that the build is on: a temporary folder in memory would flush nothing.
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(parent)?;
        let folder = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(parent)?;
        open_to_all(folder.path())?;
        let counting = parts.contains(&Part::Explain);
        let cluster = or_left_out("PostgreSQL", Cluster::start(folder.path(), counting));
        let with_peer = parts.contains(&Part::Acknowledge);
        let peer = with_peer.then(|| or_left_out("Express", Peer::install(parent)));
        let mut world = Self {
            webhooks: Webhooks::sign(scale.webhooks),
            calcom: Calcom::start(scale.webhooks)?,
            folder,
            scale,
            cluster,
            peer: peer.flatten(),
        };
        world.print_conditions()?;
        Ok(world)
    }

    /// An empty folder for one server.
    pub(crate) fn new_folder(&self) -> Result<TempDir> {
        Ok(tempfile::tempdir_in(self.folder.path())?)
    }

    fn print_conditions(&mut self) -> Result<()> {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!("machine: {cores} cores, load before {}", load.trim());
        disk::print(self.folder.path())?;
        if let Some(cluster) = &mut self.cluster {
            println!("PostgreSQL {}", cluster.version()?);
        }
        println!(
            "webhooks: {} bytes each, {} signed; Cal.com's stand-in answers {} calls/s at most",
            self.webhooks.body_bytes(),
            self.webhooks.count(),
            figures::short(self.calcom.ceiling()?)
        );
        if cfg!(debug_assertions) {
            println!("NOT AN OPTIMIZED BUILD: the figures mean nothing");
        }
        Ok(())
    }
}

/// PostgreSQL may run as another user, who has to get to its folder.
fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn or_left_out<T>(what: &str, made: Result<T>) -> Option<T> {
    made.inspect_err(|error| println!("\n!!! {what} is LEFT OUT: {error:#}\n"))
        .ok()
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(bare::ARGUMENT) {
        let address = arguments.next().context("the address is missing")?;
        return bare::serve(address.parse()?);
    }
    let arguments = Arguments::parse();
    let mut parts = arguments.parts.clone();
    if parts.is_empty() {
        parts = vec![Part::Acknowledge, Part::Decisions];
    }
    let quick = arguments.quick;
    let scale = Scale {
        rounds: arguments.rounds.unwrap_or(if quick { 1 } else { 3 }),
        time: Duration::from_millis(if quick { 1_000 } else { 4_000 }),
        catch_up: Duration::from_secs(if quick { 5 } else { 60 }),
        calm: if quick { 200 } else { 500 },
        decisions: if quick { 500 } else { 3_000 },
        webhooks: if quick { 200_000 } else { 500_000 },
    };
    let mut world = World::new(scale, &parts)?;
    for part in parts {
        match part {
            Part::Acknowledge => acknowledge::run(&mut world, &arguments.only)?,
            Part::Decisions => decisions::run(&mut world, &arguments.only)?,
            Part::Growth => growth::run(&mut world, arguments.bookings)?,
            Part::Explain => explain::run(&mut world, arguments.bookings, arguments.all)?,
        }
    }
    Ok(())
}

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
