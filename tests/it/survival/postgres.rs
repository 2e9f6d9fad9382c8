//! The same on PostgreSQL, which goes away in its own ways, and with several daemons on one database.

use super::{LONGER, SOME_SECONDS, SQLITE, survive};
use crate::rig::conductor::Fault;
use crate::rig::store::Kind;
use crate::rig::world::Setup;

const POSTGRES: Setup = Setup {
    store: Kind::Postgres,
    ..SQLITE
};
const THREE_ON_POSTGRES: Setup = Setup {
    daemons: 3,
    ..POSTGRES
};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_under_load() {
    survive(POSTGRES, &[Fault::KillPostgres], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_stopped_under_load() {
    survive(POSTGRES, &[Fault::StopPostgres], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_frozen_under_load() {
    survive(POSTGRES, &[Fault::FreezePostgres], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_ended_at_random() {
    survive(POSTGRES, &[Fault::TerminateBackends], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_taken_by_others() {
    survive(POSTGRES, &[Fault::ExhaustConnections], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_and_one_is_killed_and_started_in_a_loop() {
    let setup = Setup {
        daemons: 2,
        ..POSTGRES
    };
    survive(setup, &[Fault::KillDaemon], SOME_SECONDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_daemons_of_which_one_stands_still_for_longer_than_its_leases() {
    survive(THREE_ON_POSTGRES, &[Fault::FreezeDaemon], LONGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_daemons_and_everything_goes_wrong() {
    survive(THREE_ON_POSTGRES, &Fault::all(Kind::Postgres), LONGER).await;
}
