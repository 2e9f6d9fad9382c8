//! What policies cost: deciding, looking somebody up in a long list, and loading. Each figure stands beside
//! something ordinary that is measured in the same run, because only ratios can be compared between
//! machines. Nothing fails because something was slow.

mod decision;
#[path = "../load/figures.rs"]
#[expect(dead_code, reason = "latencies are the other measurement's")]
mod figures;
mod lists;
mod loading;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use bookgate::domain::amount::{Unit, UnitCode};
use bookgate::policy::{LoadContext, PolicySet, SourceFile, load};
use clap::{Parser, ValueEnum};
use peak_alloc::PeakAlloc;

use figures::median;

/// Counts what is allocated.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A policy of twenty criteria, and two tests.
const TWENTY: &str = include_str!("twenty.toml");

/// Measures what policies cost.
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench policy --")]
struct Arguments {
    /// What to measure [default: everything]
    parts: Vec<Part>,
    /// Less than half a minute; good for finding out whether it runs, not for claims
    #[arg(long)]
    quick: bool,
    /// Rounds, of which the median is taken [default: 9; 3 with --quick]
    #[arg(long)]
    rounds: Option<usize>,
    /// Given by cargo; means nothing
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One decision over twenty criteria
    Decision,
    /// Somebody looked up in a list of a million
    Lists,
    /// Two hundred files loaded
    Loading,
}

/// How much is measured.
struct Scale {
    rounds: usize,
    /// Of each measurement, in each round.
    time: Duration,
}

impl Scale {
    /// Nanoseconds that each of these takes, a round each, in turns, so that what else the machine does
    /// meets all of them.
    fn ns<const N: usize>(&self, mut what: [&mut dyn FnMut(); N]) -> [Vec<f64>; N] {
        let mut times = [const { Vec::new() }; N];
        for _ in 0..self.rounds {
            for (work, times) in what.iter_mut().zip(&mut times) {
                times.push(self.ns_each(work));
            }
        }
        times
    }

    fn ns_each(&self, work: &mut dyn FnMut()) -> f64 {
        let (began, mut count) = (Instant::now(), 0_u32);
        let ran_ns = processor_ns();
        while began.elapsed() < self.time {
            work();
            count += 1;
        }
        (processor_ns() - ran_ns) / f64::from(count)
    }
}

/// How long this thread has had a processor, so that what others take does not count.
fn processor_ns() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = told.split(' ').next().and_then(|ns| ns.parse().ok());
    ran.expect("Linux tells it in /proc/thread-self/schedstat")
}

/// The median of the ratios within each round.
fn ratio(times: &[f64], to: &[f64]) -> f64 {
    median(times.iter().zip(to).map(|(time, to)| time / to))
}

fn main() {
    let arguments = Arguments::parse();
    let quick = arguments.quick;
    let scale = Scale {
        rounds: arguments.rounds.unwrap_or(if quick { 3 } else { 9 }),
        time: Duration::from_millis(if quick { 200 } else { 1_000 }),
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("machine: {cores} cores, load before {}", load.trim());
    if cfg!(debug_assertions) {
        println!("NOT AN OPTIMIZED BUILD: the figures mean nothing");
    }
    let mut parts = arguments.parts;
    if parts.is_empty() {
        parts = Part::value_variants().to_vec();
    }
    for part in parts {
        match part {
            Part::Decision => decision::run(&scale),
            Part::Lists => lists::run(&scale),
            Part::Loading => loading::run(&scale),
        }
    }
}

/// Loads policies; the list file `list.txt` is this.
fn policies(files: Vec<SourceFile>, list: &str) -> PolicySet {
    let code = UnitCode::try_from("CREDIT").expect("a code");
    let unit = Unit {
        code: code.clone(),
        scale: 2,
    };
    let units = BTreeMap::from([(code, unit)]);
    let read_list = |_: &str, path: &str| match path {
        "list.txt" => Ok(list.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    match load(files, &LoadContext::new(&units, &read_list)) {
        Ok((set, _)) => set,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// A policy file of this text.
fn file(name: &str, text: String) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text,
    }
}

/// Does something whose result is not looked at.
fn done<T>(result: T) {
    drop(black_box(result));
}
