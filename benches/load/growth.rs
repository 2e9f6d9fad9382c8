//! What a decision costs as the store grows. For each size a store is made ([`Hoard`]); then all sizes
//! take turns in deciding bookings. A cost that does not grow with what is stored gives ratios near 1.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::World;
use crate::daemon::{Daemon, Setup};
use crate::decisions::decide;
use crate::figures::{Table, median, short};
use crate::hoard::{Hoard, PATTERNS};
use crate::store::{Session, Store};

/// Bookings stored when the cost is measured, as far as the limit goes.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
const WARM_UP: u64 = 500;
const MEASURED: u64 = 2_000;
/// What SQLite reads and writes at a time.
const PAGE_BYTES: f64 = 4_096.0;

/// A store of one size, at rest between its turns.
pub(crate) struct Stage {
    pub(crate) store: Store,
    folder: TempDir,
    bookings: u64,
    /// The next booking to be decided.
    next: u64,
    samples: Vec<Sample>,
}

/// What was used for each decision.
#[derive(Clone, Copy)]
struct Sample {
    rate: f64,
    cpu_us: f64,
    database_cpu_us: f64,
    /// Pages looked at: of a server in its cache or outside of it, of a file those that are not in the
    /// cache of the process.
    pages: f64,
    /// Written to the log, and of a file also to the file.
    written_kb: f64,
    /// Until it listened.
    starts_ms: f64,
    /// The most it has had in memory.
    resident_mib: f64,
}

/// Grows both stores and prints.
pub(crate) fn run(world: &mut World, bookings_max: u64) -> Result<()> {
    let mut table = Table::new([
        "stored",
        "decisions/s",
        "of the first",
        "bookgate CPU us",
        "of the first",
        "database CPU us",
        "of the first",
        "pages",
        "of the first",
        "KB written",
        "of the first",
        "starts in ms",
        "MiB resident",
    ]);
    for postgres in [false, true] {
        if postgres && world.cluster.is_none() {
            continue;
        }
        let name = if postgres { "PostgreSQL" } else { "SQLite" };
        let sizes = SIZES.into_iter().filter(|size| *size <= bookings_max);
        let stages = sizes.map(|size| Stage::new(world, postgres, size));
        let mut stages = stages.collect::<Result<Vec<_>>>()?;
        for round in 0..world.scale.rounds {
            for turn in 0..stages.len() {
                let index = (turn + round) % stages.len();
                let stage = &mut stages[index];
                let others = stage.measure(world)?;
                let sample = stage.samples[round];
                println!(
                    "round {}: {name}, {:>7} stored: {:>4} decisions/s, {:>4} + {:>4} us, {:>4} pages, {:>4} KB; started in {} ms, {} MiB; others {:.0} %",
                    round + 1,
                    stage.bookings,
                    short(sample.rate),
                    short(sample.cpu_us),
                    short(sample.database_cpu_us),
                    short(sample.pages),
                    short(sample.written_kb),
                    short(sample.starts_ms),
                    short(sample.resident_mib),
                    others * 100.0,
                );
            }
        }
        for stage in &stages {
            table.row(stage.row(name, &stages[0]));
        }
    }
    table.print("## As bookings pile up, for each decision");
    Ok(())
}

impl Stage {
    /// A store with so many bookings.
    pub(crate) fn new(world: &mut World, postgres: bool, bookings: u64) -> Result<Self> {
        let begun = Instant::now();
        let folder = world.new_folder()?;
        let store = match &mut world.cluster {
            Some(cluster) if postgres => cluster.database()?,
            _ => Store::file_in(folder.path()),
        };
        let stage = Self {
            store,
            folder,
            bookings,
            next: PATTERNS,
            samples: Vec::new(),
        };
        world.calcom.reset();
        let daemon = stage.start(world)?;
        daemon.top_up()?;
        let daemon = [daemon];
        decide(world, &stage.store, &daemon, 0, PATTERNS, None)?;
        stop(daemon)?;
        Hoard::fill(&mut stage.store.open()?, bookings)?;
        println!(
            "{bookings} bookings stored in {} s",
            begun.elapsed().as_secs()
        );
        Ok(stage)
    }

    /// A daemon on this store.
    pub(crate) fn start(&self, world: &World) -> Result<Daemon> {
        Daemon::start(&Setup {
            folder: self.folder.path(),
            store: &self.store,
            acknowledge: "auto",
            calcom: world.calcom.address,
        })
    }

    /// Decides some, and tells what share of the machine others took meanwhile.
    fn measure(&mut self, world: &World) -> Result<f64> {
        world.calcom.reset();
        let mut session = self.store.open()?;
        let before = session.work_so_far()?;
        let daemon = [self.start(world)?];
        let first = self.next;
        self.next += WARM_UP + MEASURED;
        decide(world, &self.store, &daemon, first, WARM_UP, None)?;
        let decided = decide(world, &self.store, &daemon, first + WARM_UP, MEASURED, None)?;
        let starts_ms = daemon[0].server.started_in.as_secs_f64() * 1_000.0;
        let resident_mib = daemon[0].server.resident_mib()?;
        // Of a file from the process that has it, of a server from itself, once its client has gone.
        let file = session.is_file().then(|| of_process(daemon[0].server.id()));
        stop(daemon)?;
        let work = match file {
            Some(work) => work?,
            None => {
                let after = session.work_so_far()?;
                [after[0] - before[0], after[1] - before[1]]
            }
        };
        let [pages, written_kb] = work.map(|work| work / (WARM_UP + MEASURED) as f64);
        let [cpu_us, database_cpu_us] = decided.cpu_us();
        self.samples.push(Sample {
            rate: decided.rate(),
            cpu_us,
            // A file is read by the daemon; the server that idles beside it does not count.
            database_cpu_us: if session.is_file() {
                f64::NAN
            } else {
                database_cpu_us
            },
            pages,
            written_kb,
            starts_ms,
            resident_mib,
        });
        Ok(decided.others)
    }

    fn row(&self, name: &str, first: &Self) -> Vec<String> {
        let figures: [fn(&Sample) -> f64; 5] = [
            |one| one.rate,
            |one| one.cpu_us,
            |one| one.database_cpu_us,
            |one| one.pages,
            |one| one.written_kb,
        ];
        let mut cells = vec![format!("{name}, {}", self.bookings)];
        for figure in figures {
            let pairs = self.samples.iter().zip(&first.samples);
            cells.push(short(median(self.samples.iter().map(figure))));
            cells.push(short(median(
                pairs.map(|(this, first)| figure(this) / figure(first)),
            )));
        }
        let own: [fn(&Sample) -> f64; 2] = [|one| one.starts_ms, |one| one.resident_mib];
        for figure in own {
            cells.push(short(median(self.samples.iter().map(figure))));
        }
        cells
    }
}

fn stop([daemon]: [Daemon; 1]) -> Result<()> {
    daemon.server.stop(Signal::TERM)
}

/// Pages read and kilobytes written by a process. What goes over sockets is not in it.
fn of_process(id: u32) -> Result<[f64; 2]> {
    let text = fs::read_to_string(format!("/proc/{id}/io"))?;
    let bytes = |name: &str| -> Result<f64> {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Ok(line.context("no such line in /proc")?.parse()?)
    };
    Ok([bytes("rchar")? / PAGE_BYTES, bytes("wchar")? / 1_024.0])
}

impl Session {
    fn is_file(&self) -> bool {
        !self.is_postgres()
    }

    /// Pages that a server has looked at for this database, and kilobytes of its log. Its processes
    /// tell when they end.
    fn work_so_far(&mut self) -> Result<[f64; 2]> {
        if self.is_file() {
            return Ok([0.0; 2]);
        }
        let there = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'bookgate'";
        while self.number(there)? > 0 {
            std::thread::sleep(crate::process::LOOK);
        }
        let pages = self.number(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()",
        )?;
        let log = self.number("SELECT CAST(pg_current_wal_lsn() - '0/0' AS BIGINT)")?;
        Ok([pages as f64, log as f64 / 1_024.0])
    }
}
