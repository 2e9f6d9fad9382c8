//! How many bookings are decided a second, from webhook to captured credit, and how long one waits for
//! its answer when there is no crowd.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::World;
use crate::client::{Load, drive};
use crate::daemon::{Daemon, Setup};
use crate::figures::{Percentiles, Table, median, short, us_each};
use crate::process::{LOOK, Watch};
use crate::store::Store;

/// How long a backlog may take.
const SETTLE_MAX: Duration = Duration::from_secs(300);
/// Bookings a second when there is no crowd: on a brisk day, and as many as one waits no millisecond for.
const CALM_RATES: [f64; 2] = [100.0, 300.0];

#[derive(Clone, Copy)]
struct Case {
    postgres: bool,
    daemons: usize,
}

const CASES: [Case; 3] = [
    Case {
        postgres: false,
        daemons: 1,
    },
    Case {
        postgres: true,
        daemons: 1,
    },
    Case {
        postgres: true,
        daemons: 2,
    },
];

impl Case {
    fn name(self) -> String {
        let store = if self.postgres {
            "PostgreSQL"
        } else {
            "SQLite"
        };
        let daemons = if self.daemons == 1 {
            "1 daemon"
        } else {
            "2 daemons"
        };
        format!("{store}, {daemons}")
    }
}

struct Sample {
    rate: f64,
    cpu_us: f64,
    database_cpu_us: f64,
    others: f64,
    /// From due to answered at the provider, by rate.
    calm: [Percentiles; 2],
}

/// Runs all rounds and prints.
pub(crate) fn run(world: &mut World, only: &str) -> Result<()> {
    let cases: Vec<Case> = CASES
        .into_iter()
        .filter(|case| !case.postgres || world.cluster.is_some())
        .filter(|case| case.name().contains(only))
        .collect();
    let mut samples: Vec<Vec<Sample>> = cases.iter().map(|_| Vec::new()).collect();
    for round in 0..world.scale.rounds {
        for turn in 0..cases.len() {
            let index = (turn + round) % cases.len();
            let sample = measure(world, cases[index])?;
            println!(
                "round {}: {:<50} {:>5} decisions/s; told after p50 {} ms, p99 {} ms at {}/s, {} and {} at {}/s; others {:.0} %",
                round + 1,
                cases[index].name(),
                short(sample.rate),
                short(sample.calm[0].p50),
                short(sample.calm[0].p99),
                CALM_RATES[0],
                short(sample.calm[1].p50),
                short(sample.calm[1].p99),
                CALM_RATES[1],
                sample.others * 100.0,
            );
            samples[index].push(sample);
        }
    }
    let mut table = Table::new([
        "webhook to captured credit",
        "decisions/s",
        "of the first",
        "bookgate CPU us",
        "database CPU us",
        "at 100/s told after p50 ms",
        "p99 ms",
        "at 300/s p50 ms",
        "p99 ms",
    ]);
    for (index, case) in cases.iter().enumerate() {
        let middle = |of: &dyn Fn(&Sample) -> f64| short(median(samples[index].iter().map(of)));
        let pairs = samples[index].iter().zip(&samples[0]);
        table.row([
            case.name(),
            middle(&|one| one.rate),
            short(median(pairs.map(|(this, first)| this.rate / first.rate))),
            middle(&|one| one.cpu_us),
            middle(&|one| one.database_cpu_us),
            middle(&|one| one.calm[0].p50),
            middle(&|one| one.calm[0].p99),
            middle(&|one| one.calm[1].p50),
            middle(&|one| one.calm[1].p99),
        ]);
    }
    table.print("## Decided");
    Ok(())
}

fn measure(world: &mut World, case: Case) -> Result<Sample> {
    let folders = (0..case.daemons)
        .map(|_| world.new_folder())
        .collect::<Result<Vec<_>>>()?;
    let store = match &mut world.cluster {
        Some(cluster) if case.postgres => cluster.database()?,
        _ => Store::file_in(folders[0].path()),
    };
    world.calcom.reset();
    let start = |folder: &tempfile::TempDir| {
        Daemon::start(&Setup {
            folder: folder.path(),
            store: &store,
            acknowledge: "auto",
            calcom: world.calcom.address,
        })
    };
    let daemons = folders.iter().map(start).collect::<Result<Vec<_>>>()?;
    daemons[0].top_up()?;

    let scale = &world.scale;
    let mut next = 0;
    let mut calmly = |rate| {
        let calm = decide(world, &store, &daemons, next, scale.calm, Some(rate))?;
        next += scale.calm;
        Ok::<_, anyhow::Error>(Percentiles::of(&told_after(world, &calm, rate)?))
    };
    let calm = [calmly(CALM_RATES[0])?, calmly(CALM_RATES[1])?];
    let crowd = decide(world, &store, &daemons, next, scale.decisions, None)?;
    for daemon in daemons {
        daemon.server.stop(Signal::TERM)?;
    }
    Ok(Sample {
        rate: crowd.rate(),
        cpu_us: us_each(crowd.cpu, crowd.count),
        database_cpu_us: us_each(crowd.database_cpu, crowd.count),
        others: crowd.others,
        calm,
    })
}

/// A number of bookings, decided.
pub(crate) struct Decided {
    count: usize,
    /// Each load's first booking, and when that was due.
    loads: Vec<(u64, Instant)>,
    elapsed: Duration,
    cpu: Duration,
    database_cpu: Duration,
    /// Share of the machine that others took meanwhile.
    pub(crate) others: f64,
}

impl Decided {
    /// Decisions a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of processor time for each, of bookgate and of the database.
    pub(crate) fn cpu_us(&self) -> [f64; 2] {
        [self.cpu, self.database_cpu].map(|time| us_each(time, self.count))
    }
}

/// Sends bookings, shared out among the daemons, and waits until all are confirmed and their credit
/// is captured.
pub(crate) fn decide(
    world: &World,
    store: &Store,
    daemons: &[Daemon],
    first: u64,
    count: u64,
    per_second: Option<f64>,
) -> Result<Decided> {
    let mut session = store.open()?;
    let captured = "SELECT COUNT(*) FROM hold WHERE state = 'captured' AND id > ";
    let mark = session.number("SELECT COALESCE(MAX(id), 0) FROM hold")?;
    let mut captured = || session.number(&format!("{captured}{mark}"));
    let settled_before = world.calcom.settled();
    let accepted_before = world.calcom.accepted();
    let cpu = || -> Result<[Duration; 2]> {
        let own = daemons.iter().map(|one| one.server.cpu());
        let database = world
            .cluster
            .as_ref()
            .map_or(Ok(Duration::ZERO), |one| one.cpu());
        Ok([own.sum::<Result<Duration>>()?, database?])
    };
    let before = cpu()?;
    let watch = Watch::begin()?;
    let begun = Instant::now();
    let loads = send(world, daemons, first, count, per_second)?;
    let waiting = || begun.elapsed() < SETTLE_MAX;
    while world.calcom.settled() - settled_before < count {
        ensure!(
            waiting(),
            "{} of {count} decided",
            world.calcom.settled() - settled_before
        );
        std::thread::sleep(LOOK);
    }
    while captured()? < i64::try_from(count)? {
        ensure!(waiting(), "not all credit is captured");
        std::thread::sleep(LOOK);
    }
    let elapsed = begun.elapsed();
    let after = cpu()?;
    ensure!(
        world.calcom.accepted() - accepted_before == count,
        "not every booking was confirmed"
    );
    Ok(Decided {
        count: usize::try_from(count)?,
        loads,
        elapsed,
        cpu: after[0] - before[0],
        database_cpu: after[1] - before[1],
        others: watch.others(after[0] + after[1] - before[0] - before[1])?,
    })
}

fn send(
    world: &World,
    daemons: &[Daemon],
    first: u64,
    count: u64,
    per_second: Option<f64>,
) -> Result<Vec<(u64, Instant)>> {
    let share = count.div_ceil(daemons.len() as u64);
    let firsts = (first..first + count).step_by(usize::try_from(share)?);
    let mut loads = Vec::new();
    for (daemon, begin) in daemons.iter().zip(firsts) {
        let load = Load {
            per_second,
            count_max: share.min(first + count - begin),
            time_max: Duration::from_secs(60),
        };
        let outcome = drive(daemon.server.address, load, begin, &mut |index, out| {
            world.webhooks.write(index, out);
        })?;
        ensure!(
            outcome.refused.is_empty(),
            "a webhook was answered HTTP {:?}",
            outcome.refused.first()
        );
        loads.push((begin, outcome.begun.context("nothing was sent")?));
    }
    Ok(loads)
}

/// From the time each was due to the time the provider was told.
fn told_after(world: &World, decided: &Decided, rate: f64) -> Result<Vec<Duration>> {
    let Some((first, _)) = decided.loads.first() else {
        return Ok(Vec::new());
    };
    let told = |index: u64| {
        let loads = decided.loads.iter().rev();
        let mut loads = loads.filter(|(begin, _)| *begin <= index);
        let (begin, begun) = loads.next().context("a booking of no load")?;
        let due = *begun + Duration::from_secs_f64((index - begin) as f64 / rate);
        let told = world.calcom.settled_at(index);
        let told = told.context("a booking was never answered")?;
        Ok(told.saturating_duration_since(due))
    };
    (*first..*first + decided.count as u64).map(told).collect()
}
