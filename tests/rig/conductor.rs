//! Makes faults and mends them, each kind in a loop of its own, so that daemons, store and provider may
//! fail at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::Random;
use super::hoard::Hoard;
use super::postgres::{ROLE, Stop};
use super::proxy::Weather;
use super::store::Kind;
use super::world::{Slot, World};

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL for a daemon.
    KillDaemon,
    /// SIGTERM for a daemon.
    TerminateDaemon,
    /// A daemon stands still for longer than its leases last, and goes on.
    FreezeDaemon,
    /// SIGKILL for all processes of PostgreSQL.
    KillPostgres,
    /// PostgreSQL is stopped, in order or at once.
    StopPostgres,
    /// PostgreSQL stands still, and goes on.
    FreezePostgres,
    /// Some sessions of the daemons are ended.
    TerminateBackends,
    /// Others hold all connections that PostgreSQL takes.
    ExhaustConnections,
    /// The small disk is full.
    FullDisk,
    /// The provider, or the network before it.
    Provider(Weather),
}

impl Fault {
    /// All that a store of this kind can have, but for the full disk, which needs one.
    pub(crate) fn all(store: Kind) -> Vec<Self> {
        let mut all = vec![Self::KillDaemon, Self::TerminateDaemon, Self::FreezeDaemon];
        if store == Kind::Postgres {
            all.extend([
                Self::KillPostgres,
                Self::StopPostgres,
                Self::FreezePostgres,
                Self::TerminateBackends,
                Self::ExhaustConnections,
            ]);
        }
        all.extend(Weather::BAD.map(Self::Provider));
        all
    }

    fn strikes(self) -> Part {
        match self {
            Self::KillDaemon | Self::TerminateDaemon | Self::FreezeDaemon => Part::Daemons,
            Self::KillPostgres
            | Self::StopPostgres
            | Self::FreezePostgres
            | Self::TerminateBackends
            | Self::ExhaustConnections
            | Self::FullDisk => Part::Store,
            Self::Provider(_) => Part::Provider,
        }
    }
}

/// What is struck. One fault at a time strikes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Daemons,
    Store,
    Provider,
}

/// How the faults come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The longest time without a fault.
    pub(crate) rest_ms_max: u64,
    /// The longest fault.
    pub(crate) fault_ms_max: u64,
    /// When the last one is mended.
    pub(crate) ends: Instant,
}

/// How often each fault was made.
pub(crate) type Tally = BTreeMap<String, u64>;

/// Makes faults until the pace's end; when this returns, all are mended.
pub(crate) async fn conduct(
    world: &Arc<World>,
    faults: &[Fault],
    pace: Pace,
    mut random: Random,
) -> Tally {
    let tally = Mutex::new(Tally::new());
    let part = |part: Part, random: Random| {
        let faults = faults
            .iter()
            .copied()
            .filter(|fault| fault.strikes() == part);
        strike_in_turn(world, faults.collect(), pace, random, &tally)
    };
    tokio::join!(
        part(Part::Daemons, random.fork()),
        part(Part::Store, random.fork()),
        part(Part::Provider, random.fork()),
    );
    tally.into_inner().unwrap()
}

async fn strike_in_turn(
    world: &World,
    faults: Vec<Fault>,
    pace: Pace,
    mut random: Random,
    tally: &Mutex<Tally>,
) {
    if faults.is_empty() {
        return;
    }
    loop {
        tokio::time::sleep(random.up_to_ms(pace.rest_ms_max)).await; // it comes when it comes
        let left = pace.ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let fault = faults[random.place(faults.len())];
        let lasting = random.up_to_ms(pace.fault_ms_max).min(left);
        tracing::debug!(?fault, ?lasting, "a fault");
        *tally
            .lock()
            .unwrap()
            .entry(format!("{fault:?}"))
            .or_default() += 1;
        strike(world, fault, lasting, &mut random).await;
    }
}

/// Makes one fault, and mends it after `lasting`.
async fn strike(world: &World, fault: Fault, lasting: Duration, random: &mut Random) {
    let slot = &world.slots[random.place(world.slots.len())];
    let store = &world.store;
    match fault {
        Fault::KillDaemon => {
            world.take(slot).await.kill();
            tokio::time::sleep(lasting).await;
            world.begin(slot).await;
        }
        Fault::TerminateDaemon => {
            let daemon = world.take(slot).await;
            world.terminate(slot, daemon).await;
            tokio::time::sleep(lasting).await;
            world.begin(slot).await;
        }
        Fault::FreezeDaemon => freeze(slot, lasting).await,
        Fault::KillPostgres => {
            store.postgres(|cluster, _| cluster.kill());
            tokio::time::sleep(lasting).await;
            store.postgres(|cluster, _| cluster.resume());
        }
        Fault::StopPostgres => {
            let how = [Stop::Fast, Stop::Immediate][random.place(2)];
            store.postgres(|cluster, _| cluster.stop(how));
            tokio::time::sleep(lasting).await;
            store.postgres(|cluster, _| cluster.resume());
        }
        Fault::FreezePostgres => {
            store.postgres(|cluster, _| cluster.freeze());
            tokio::time::sleep(lasting).await;
            store.postgres(|cluster, _| cluster.thaw());
        }
        Fault::TerminateBackends => {
            let ends = Instant::now() + lasting;
            while Instant::now() < ends {
                let choice = u32::try_from(random.below(1_000)).unwrap_or(0);
                store.postgres(|cluster, database| cluster.terminate_backend(database, choice));
                tokio::time::sleep(random.up_to_ms(100)).await; // some work gets done
            }
        }
        Fault::ExhaustConnections => {
            let hoard = exhaust(world);
            tokio::time::sleep(lasting).await;
            drop(hoard);
        }
        Fault::FullDisk => {
            let disk = world.disk.as_ref().expect("there is a small disk");
            disk.fill();
            tokio::time::sleep(lasting).await;
            disk.free();
        }
        Fault::Provider(weather) => {
            world.proxy.set(weather);
            tokio::time::sleep(lasting).await;
            world.proxy.set(Weather::Fair);
        }
    }
}

async fn freeze(slot: &Slot, lasting: Duration) {
    let daemon = slot.daemon.lock().await;
    let daemon = daemon.as_ref().expect("it was started");
    daemon.freeze();
    tokio::time::sleep(lasting).await;
    daemon.thaw();
}

/// Takes all free connections, and those of the daemons before they can.
fn exhaust(world: &World) -> Hoard {
    /// The daemons try to come back meanwhile.
    const ROUNDS: usize = 3;
    world.store.postgres(|cluster, database| {
        let mut hoard = Hoard::new();
        for _ in 0..ROUNDS {
            hoard.fill(cluster.address(), ROLE, database);
            cluster.sql(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE usename = 'bookgate' AND application_name <> 'hoard'",
            );
        }
        hoard.fill(cluster.address(), ROLE, database);
        hoard
    })
}
