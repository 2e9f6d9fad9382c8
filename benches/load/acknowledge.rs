//! How fast a webhook is acknowledged, how fast it is in the inbox, and what that costs: bookgate in
//! each of its ways, beside a handler that does nothing, and beside Express. All in one run, in turns.

mod report;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::World;
use crate::bare;
use crate::client::{Load, drive};
use crate::daemon::{Daemon, Setup};
use crate::figures::{Percentiles, short, us_each};
use crate::process::{LOOK, Server, Watch};
use crate::store::Store;

/// The constant rate at which latency is measured, a second.
const OPEN_RATE: f64 = 1_500.0;
const WARM_UP: Duration = Duration::from_millis(500);

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contestant {
    Bare,
    Bookgate {
        postgres: bool,
        acknowledge: &'static str,
    },
    Express,
}

const ALL: [Contestant; 6] = [
    Contestant::Bare,
    Contestant::Bookgate {
        postgres: false,
        acknowledge: "journal",
    },
    Contestant::Bookgate {
        postgres: false,
        acknowledge: "database",
    },
    Contestant::Bookgate {
        postgres: true,
        acknowledge: "database",
    },
    Contestant::Bookgate {
        postgres: true,
        acknowledge: "journal",
    },
    Contestant::Express,
];

impl Contestant {
    fn name(self) -> String {
        match self {
            Self::Bare => "bare handler, 200 without work".to_owned(),
            Self::Express => "Express + PostgreSQL, insert, then 200".to_owned(),
            Self::Bookgate {
                postgres,
                acknowledge,
            } => {
                let store = if postgres { "PostgreSQL" } else { "SQLite" };
                format!("bookgate, {store}, acknowledged by the {acknowledge}")
            }
        }
    }

    fn needs_postgres(self) -> bool {
        match self {
            Self::Bare => false,
            Self::Bookgate { postgres, .. } => postgres,
            Self::Express => true,
        }
    }

    /// Deliveries that were understood and filed so far. The others understand nothing.
    fn filed(self, store: &Store) -> Result<u64> {
        match self {
            Self::Bookgate { .. } => {
                let facts = store.open()?.number("SELECT COUNT(*) FROM fact")?;
                Ok(u64::try_from(facts)?)
            }
            Self::Bare | Self::Express => Ok(0),
        }
    }

    fn inbox(self) -> Option<&'static str> {
        match self {
            Self::Bare => None,
            Self::Bookgate { .. } => Some("delivery"),
            Self::Express => Some("webhook_event"),
        }
    }
}

/// One contestant in one round.
struct Sample {
    rate: f64,
    closed: Percentiles,
    open: Percentiles,
    open_rate: f64,
    /// Microseconds of processor time a request while acknowledging: the server, the database, the load.
    cpu_us: [f64; 3],
    /// Stored in the inbox a second, from the first request to the last row.
    stored_rate: f64,
    /// Filed under its booking a second, until the last row was stored.
    filed_rate: f64,
    /// Acknowledged, and not in the inbox when that was no longer waited for.
    behind: u64,
    refused: usize,
    /// Share of the machine that others took meanwhile.
    others: f64,
}

/// Runs all rounds and prints.
pub(crate) fn run(world: &mut World, only: &str) -> Result<()> {
    let wanted = |one: &Contestant| *one == Contestant::Bare || one.name().contains(only);
    let contestants: Vec<Contestant> = ALL
        .into_iter()
        .filter(|one| wanted(one) && world.can(*one))
        .collect();
    let mut samples: Vec<Vec<Sample>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..world.scale.rounds {
        for turn in 0..contestants.len() {
            let index = (turn + round) % contestants.len();
            let sample = measure(world, contestants[index])?;
            println!(
                "round {}: {:<50} {:>6} req/s, p99 {:>5} ms, inbox {:>6}/s; at {OPEN_RATE}/s p50 {} ms, p99 {} ms; others {:.0} %{}",
                round + 1,
                contestants[index].name(),
                short(sample.rate),
                short(sample.closed.p99),
                short(sample.stored_rate),
                short(sample.open.p50),
                short(sample.open.p99),
                sample.others * 100.0,
                if sample.refused > 0 { "  REFUSED" } else { "" },
            );
            if sample.behind > 0 {
                println!(
                    "         {} were not in the inbox yet when the next began",
                    sample.behind
                );
            }
            samples[index].push(sample);
        }
    }
    report::print(&contestants, &samples);
    let refused: usize = samples.iter().flatten().map(|sample| sample.refused).sum();
    ensure!(
        refused == 0,
        "{refused} requests were refused: these figures claim nothing"
    );
    Ok(())
}

impl World {
    fn can(&self, contestant: Contestant) -> bool {
        match contestant {
            Contestant::Bare => true,
            Contestant::Bookgate { postgres, .. } => !postgres || self.cluster.is_some(),
            Contestant::Express => self.peer.is_some() && self.cluster.is_some(),
        }
    }
}

fn start(world: &World, one: Contestant, store: &Store, folder: &Path) -> Result<Server> {
    match (one, &world.peer) {
        (Contestant::Bookgate { acknowledge, .. }, _) => {
            let daemon = Daemon::start(&Setup {
                folder,
                store,
                acknowledge,
                calcom: world.calcom.address,
            })?;
            daemon.top_up()?;
            Ok(daemon.server)
        }
        (Contestant::Express, Some(peer)) => peer.start(store, &folder.join("express.log")),
        _ => bare::start(folder),
    }
}

fn measure(world: &mut World, one: Contestant) -> Result<Sample> {
    let folder = world.new_folder()?;
    let store = match &mut world.cluster {
        Some(cluster) if one.needs_postgres() => cluster.database()?,
        _ => Store::file_in(folder.path()),
    };
    world.calcom.reset();
    let server = start(world, one, &store, folder.path())?;
    let webhooks = &world.webhooks;
    let mut write = |index, out: &mut Vec<u8>| webhooks.write(index, out);
    let load = |per_second, time_max, first| Load {
        per_second,
        count_max: webhooks.count() - first,
        time_max,
    };
    let mut sent = 0;
    let warm = drive(
        server.address,
        load(Some(OPEN_RATE), WARM_UP, sent),
        sent,
        &mut write,
    )?;
    sent += warm.latencies.len() as u64;
    let time = world.scale.time;
    // Before the flood, whose bookings are decided for long afterwards.
    let open = drive(
        server.address,
        load(Some(OPEN_RATE), time, sent),
        sent,
        &mut write,
    )?;
    sent += open.latencies.len() as u64;

    let database_cpu = || {
        world
            .cluster
            .as_ref()
            .map_or(Ok(Duration::ZERO), |one| one.cpu())
    };
    let cpu_before = (server.cpu()?, database_cpu()?);
    let filed_before = one.filed(&store)?;
    let watch = Watch::begin()?;
    let begun = Instant::now();
    let closed = drive(server.address, load(None, time, sent), sent, &mut write)?;
    let cpu = (server.cpu()? - cpu_before.0, database_cpu()? - cpu_before.1);
    let others = watch.others(cpu.0 + cpu.1)?;
    let answered = closed.latencies.len();
    sent += answered as u64;
    let stored = match one.inbox() {
        Some(table) => Some(wait_for_inbox(&store, table, sent, world.scale.catch_up)?),
        None => None,
    };
    let elapsed = begun.elapsed();
    let filed = one.filed(&store)?.saturating_sub(filed_before);
    let behind = sent - stored.unwrap_or(sent);
    // What came in before the flood was stored before it, as good as wholly.
    let stored_rate = (answered as u64).saturating_sub(behind) as f64 / elapsed.as_secs_f64();
    drop(server);
    fs::remove_dir_all(folder.path())?;
    Ok(Sample {
        rate: closed.rate(),
        closed: Percentiles::of(&closed.latencies),
        open: Percentiles::of(&open.latencies),
        open_rate: open.rate(),
        cpu_us: [cpu.0, cpu.1, closed.own_cpu].map(|time| us_each(time, answered)),
        stored_rate: stored.map_or(f64::NAN, |_| stored_rate),
        filed_rate: filed as f64 / elapsed.as_secs_f64(),
        behind,
        others,
        refused: warm.refused.len() + open.refused.len() + closed.refused.len(),
    })
}

/// Waits until so many deliveries are stored, but not for ever, and says how many are. The highest id is
/// cheap to ask for, but ids may have gaps; so in the end they are counted.
fn wait_for_inbox(store: &Store, table: &str, sent: u64, patience: Duration) -> Result<u64> {
    let mut session = store.open()?;
    let highest = format!("SELECT COALESCE(MAX(id), 0) FROM {table}");
    let counted = format!("SELECT COUNT(*) FROM {table}");
    let begun = Instant::now();
    loop {
        let late = begun.elapsed() > patience;
        if late || session.number(&highest)? >= i64::try_from(sent)? {
            let stored = u64::try_from(session.number(&counted)?)?;
            if late || stored >= sent {
                return Ok(stored);
            }
        }
        std::thread::sleep(LOOK);
    }
}
