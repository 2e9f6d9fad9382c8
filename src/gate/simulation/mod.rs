//! Histories that nobody thought of, each told in one thread without real time: several workers on one store
//! in memory, each of whose steps is taken when the history says so; people, webhooks, troubles and
//! crashes in between. Webhooks get lost, and the provider's list makes up for them: it is compared now and
//! then, and at the end until nothing differs. The same history always ends the same way.
//!
//! A failing one is shortened and printed with what happened in it. `BOOKGATE_TEST_SEED=17` tells just
//! that one again, `BOOKGATE_TEST_HISTORIES=100000` tells so many (from that seed on), and
//! `BOOKGATE_TEST_HISTORY='[…]'` tells exactly what a failure printed.

mod at_work;
mod check;
mod found;
mod history;
mod schedule;
mod shrink;
mod stage;
mod survey;
mod world;

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use history::Action;
use schedule::Simulation;
use stage::Stage;

/// Histories told by default.
const HISTORIES: u64 = 2_000;

/// How a history went wrong.
struct Failure {
    what: String,
    story: Vec<String>,
}

/// Tells one history.
async fn tell(stage: &Stage, history: &[Action]) -> Result<(), Failure> {
    let mut simulation = Simulation::begin(stage).await;
    let told = tell_to_the_end(&mut simulation, history).await;
    told.map_err(|what| Failure {
        what,
        story: std::mem::take(&mut simulation.world.state().story),
    })
}

async fn tell_to_the_end(simulation: &mut Simulation, history: &[Action]) -> Result<(), String> {
    for action in history {
        simulation.act(*action).await;
        let wrong = simulation.world.state().wrong.take();
        wrong.map_or(Ok(()), Err)?;
    }
    simulation.finish().await?;
    let wrong = simulation.world.state().wrong.take();
    wrong.map_or(Ok(()), Err)?;
    check::end(simulation).await
}

/// What a person needs to see of a failure: as short as it can be made, and how to tell it again.
async fn report(stage: &Stage, seed: Option<u64>, history: Vec<Action>) -> String {
    let short = shrink::shortened(stage, history).await;
    let Err(failure) = tell(stage, &short).await else {
        return "a history went wrong, and did not when it was told again".to_owned();
    };
    let seed = seed.map_or_else(String::new, |seed| format!("seed {seed}: "));
    let again = serde_json::to_string(&short).unwrap();
    format!(
        "{seed}{}\n  {}\nagain: BOOKGATE_TEST_HISTORY='{again}'",
        failure.what,
        failure.story.join("\n  ")
    )
}

fn from_environment<T>(name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = read(&text);
    assert!(value.is_some(), "{name}: `{text}` makes no sense");
    value
}

/// Runs what needs a stage, in one thread: whoever waits for the store is all that waits.
fn on_stage<T>(work: impl AsyncFnOnce(&Stage) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stage = Stage::set(folder.path()).await;
        work(&stage).await
    })
}

/// Tells the histories of `seeds`, as many at a time as there are processors, each in a thread and on a
/// stage of its own. Says what went wrong, of the earliest seed that was found to.
fn tell_all(seeds: Range<u64>) -> Result<(), String> {
    let tellers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(seeds.start);
    let tell_some = || {
        on_stage(async |stage: &Stage| {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if !seeds.contains(&seed) {
                    return None;
                }
                let history = history::of_seed(seed);
                if tell(stage, &history).await.is_err() {
                    next.store(seeds.end, Ordering::Relaxed);
                    return Some((seed, report(stage, Some(seed), history).await));
                }
            }
        })
    };
    let earliest = std::thread::scope(|scope| {
        let tellers: Vec<_> = (0..tellers).map(|_| scope.spawn(tell_some)).collect();
        let failures = tellers
            .into_iter()
            .filter_map(|teller| teller.join().unwrap());
        failures.min()
    });
    earliest.map_or(Ok(()), |(_, report)| Err(report))
}

#[test]
fn what_went_wrong_once_does_not_again() {
    on_stage(async |stage: &Stage| {
        for (what, history) in found::histories() {
            if let Err(failure) = tell(stage, &history).await {
                let story = failure.story.join("\n  ");
                panic!("{what}: {}\n  {story}", failure.what);
            }
        }
    });
}

#[test]
fn every_history_ends_as_it_should() {
    let number = |text: &str| text.parse::<u64>().ok();
    let given = from_environment("BOOKGATE_TEST_HISTORY", |text| {
        serde_json::from_str::<Vec<Action>>(text).ok()
    });
    let seed = from_environment("BOOKGATE_TEST_SEED", number);
    let count = from_environment("BOOKGATE_TEST_HISTORIES", number);
    let first = seed.unwrap_or(0);
    let count = count.unwrap_or(if seed.is_some() { 1 } else { HISTORIES });
    if let Some(history) = given {
        return on_stage(async |stage: &Stage| {
            if tell(stage, &history).await.is_err() {
                panic!("{}", report(stage, None, history).await);
            }
        });
    }
    if let Err(report) = tell_all(first..first + count) {
        panic!("{report}");
    }
}
