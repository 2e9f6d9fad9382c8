//! The real processes under load while one thing goes wrong again and again. Afterwards: what was
//! acknowledged is stored, every revision is decided once, no call took effect twice, the credits add
//! up, and nothing waits. `cargo bench --bench soak` does the same for longer, with everything at once.

mod postgres;

use std::time::Duration;

use crate::rig::conductor::Fault;
use crate::rig::proxy::Weather;
use crate::rig::run::{Course, run};
use crate::rig::seed;
use crate::rig::store::Kind;
use crate::rig::world::{Setup, Under};

const SQLITE: Setup = Setup {
    store: Kind::Sqlite,
    daemons: 1,
    acknowledge: "",
    small_disk: None,
    disk_mib: 64,
};
const SOME_SECONDS: Course = Course {
    lasting: Duration::from_secs(4),
    act_every: Duration::from_millis(25),
    rest_ms_max: 400,
    fault_ms_max: 400,
    tells: false,
};
/// For faults that take a while to be felt.
const LONGER: Course = Course {
    lasting: Duration::from_secs(6),
    rest_ms_max: 1_000,
    fault_ms_max: 3_000,
    ..SOME_SECONDS
};

async fn survive(setup: Setup, faults: &[Fault], course: Course) {
    if let Some(report) = run(setup, faults, course, seed()).await {
        assert!(report.is_good(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_loop_with_the_journal() {
    let setup = Setup {
        acknowledge: "journal",
        ..SQLITE
    };
    survive(setup, &[Fault::KillDaemon], SOME_SECONDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_loop_without_the_journal() {
    let setup = Setup {
        acknowledge: "database",
        ..SQLITE
    };
    survive(setup, &[Fault::KillDaemon], SOME_SECONDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_in_a_loop() {
    survive(SQLITE, &[Fault::TerminateDaemon], SOME_SECONDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_for_longer_than_a_lease() {
    survive(SQLITE, &[Fault::FreezeDaemon], LONGER).await;
}

/// With the process terminated all the while.
async fn provider(weather: Weather) {
    let faults = [Fault::Provider(weather), Fault::TerminateDaemon];
    survive(SQLITE, &faults, SOME_SECONDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_connections() {
    provider(Weather::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_resets_in_the_middle_of_answers() {
    provider(Weather::ResetMidAnswer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_stalls() {
    provider(Weather::Stalled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_500() {
    provider(Weather::Status(500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_429_and_says_for_how_long() {
    provider(Weather::Limited { tells_when: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_429_and_does_not_say_for_how_long() {
    provider(Weather::Limited { tells_when: false }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_with_pages_for_people() {
    provider(Weather::Html).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_succeeds_after_our_timeout() {
    provider(Weather::TooLate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_sqlite() {
    let setup = Setup {
        small_disk: Some(Under::Store),
        ..SQLITE
    };
    survive(setup, &[Fault::FullDisk], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_journal() {
    let setup = Setup {
        small_disk: Some(Under::Journal),
        ..SQLITE
    };
    survive(setup, &[Fault::FullDisk], LONGER).await;
}
