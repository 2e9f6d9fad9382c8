//! The tables: medians of the rounds, and ratios taken round by round.

use super::{ALL, Contestant, Sample};
use crate::figures::{Table, median, short};

/// Prints what all rounds have shown. `samples` has one list for each contestant.
pub(super) fn print(contestants: &[Contestant], samples: &[Vec<Sample>]) {
    let place = |wanted: Contestant| contestants.iter().position(|one| *one == wanted);
    let [bare, .., express] = ALL.map(place);
    flood(contestants, samples, bare, express);
    println!("\ntargets: acknowledged by the database >= 0.15 of bare, and >= 5 of Express");
    steady(contestants, samples, express);
}

fn flood(
    contestants: &[Contestant],
    samples: &[Vec<Sample>],
    bare: Option<usize>,
    express: Option<usize>,
) {
    let mut table = Table::new([
        "64 connections, as fast as they are answered",
        "req/s",
        "of bare",
        "of Express",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "server CPU us",
        "database CPU us",
        "load CPU us",
        "in the inbox/s",
        "of Express",
        "filed meanwhile/s",
    ]);
    for (one, rounds) in contestants.iter().zip(samples) {
        let middle = |of: &dyn Fn(&Sample) -> f64| short(median(rounds.iter().map(of)));
        let to = |other: Option<usize>, of: &dyn Fn(&Sample) -> f64| {
            ratio(rounds, other.map(|index| &samples[index]), of)
        };
        table.row([
            one.name(),
            middle(&|round| round.rate),
            to(bare, &|round| round.rate),
            to(express, &|round| round.rate),
            middle(&|round| round.closed.p50),
            middle(&|round| round.closed.p99),
            middle(&|round| round.closed.p999),
            middle(&|round| round.closed.max),
            middle(&|round| round.cpu_us[0]),
            middle(&|round| round.cpu_us[1]),
            middle(&|round| round.cpu_us[2]),
            middle(&|round| round.stored_rate),
            to(express, &|round| round.stored_rate),
            middle(&|round| round.filed_rate),
        ]);
    }
    table.print("## Acknowledged");
}

fn steady(contestants: &[Contestant], samples: &[Vec<Sample>], express: Option<usize>) {
    let mut table = Table::new([
        "1,500 a second, from when each was due",
        "answered/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "p99 of Express",
    ]);
    for (one, rounds) in contestants.iter().zip(samples) {
        let middle = |of: &dyn Fn(&Sample) -> f64| short(median(rounds.iter().map(of)));
        let others = express.map(|index| &samples[index]);
        table.row([
            one.name(),
            middle(&|round| round.open_rate),
            middle(&|round| round.open.p50),
            middle(&|round| round.open.p99),
            middle(&|round| round.open.p999),
            middle(&|round| round.open.max),
            ratio(rounds, others, &|round| round.open.p99),
        ]);
    }
    table.print("## How long an acknowledgement takes");
}

/// Round by round, because neighbours in time have the same noise; then the median.
fn ratio(these: &[Sample], others: Option<&Vec<Sample>>, of: &dyn Fn(&Sample) -> f64) -> String {
    let Some(others) = others else {
        return "-".to_owned();
    };
    let pairs = these.iter().zip(others);
    short(median(pairs.map(|(this, other)| of(this) / of(other))))
}
