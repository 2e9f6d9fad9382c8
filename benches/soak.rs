//! Daemons under load for as long as one likes, while everything goes wrong: see `tests/rig`. Prints
//! how it goes and what came of it; ends with 1 if any promise was broken.
//!
//! `cargo bench --bench soak -- --minutes 10 --store postgres --daemons 3 --seed 17`

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use rig::conductor::Fault;
use rig::run::{Course, run};
use rig::store::Kind;
use rig::world::{Setup, Under};

/// Several minutes of everything at once.
#[derive(Parser)]
struct Arguments {
    /// How long load and faults last; settling comes on top.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Which store the daemons share.
    #[arg(long, value_enum, default_value_t = StoreName::Postgres)]
    store: StoreName,
    /// How many daemons; one on sqlite. Without it: 3 on postgres.
    #[arg(long)]
    daemons: Option<usize>,
    /// What is drawn from it happens again: kinds and order of faults, and what people do.
    #[arg(long)]
    seed: Option<u64>,
    /// Milliseconds between two things that people do, on average.
    #[arg(long, default_value_t = 50)]
    act_every_ms: u64,
    /// The longest fault; `60000` lets PostgreSQL be away for a minute.
    #[arg(long, default_value_t = 10_000)]
    fault_ms_max: u64,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum StoreName {
    Sqlite,
    Postgres,
}

/// A store takes about 30 KiB for each thing that people do; twice that, and something to begin with.
fn disk_mib(minutes: f64, act_every_ms: u64) -> u32 {
    let acts = 60_000.0 * minutes / act_every_ms.max(1) as f64;
    64 + (acts * 60.0 / 1_024.0) as u32
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rig::seed);
    let (store, small_disk) = match arguments.store {
        // Its own small disk makes one more fault possible.
        StoreName::Sqlite => (Kind::Sqlite, rig::disk::permitted().then_some(Under::Store)),
        StoreName::Postgres => (Kind::Postgres, None),
    };
    let setup = Setup {
        store,
        daemons: match store {
            Kind::Sqlite => 1,
            Kind::Postgres => arguments.daemons.unwrap_or(3),
        },
        acknowledge: "",
        small_disk,
        disk_mib: disk_mib(arguments.minutes, arguments.act_every_ms),
    };
    let mut faults = Fault::all(store);
    faults.extend(small_disk.map(|_| Fault::FullDisk));
    let course = Course {
        lasting: Duration::from_secs_f64(60.0 * arguments.minutes),
        act_every: Duration::from_millis(arguments.act_every_ms),
        rest_ms_max: 5_000,
        fault_ms_max: arguments.fault_ms_max,
        tells: true,
    };
    let Some(report) = run(setup, &faults, course, seed).await else {
        return ExitCode::FAILURE;
    };
    println!("{report}");
    if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
