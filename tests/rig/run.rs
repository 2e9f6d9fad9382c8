//! One run from its beginning to its report.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Random;
use super::audit::{Report, audit};
use super::conductor::{Fault, Pace, conduct};
use super::people::People;
use super::world::{Setup, World};

/// How long a run takes, and how rough it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// Load and faults; settling comes on top.
    pub(crate) lasting: Duration,
    /// Between two things that people do, on average.
    pub(crate) act_every: Duration,
    /// The longest time without a fault, for daemons, store and provider each.
    pub(crate) rest_ms_max: u64,
    /// The longest fault.
    pub(crate) fault_ms_max: u64,
    /// Whether to say now and then how it goes.
    pub(crate) tells: bool,
}

/// How often it is said how it goes.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Runs an installation under load and faults, and counts. `None` where this machine lacks something,
/// which is said.
pub(crate) async fn run(
    setup: Setup,
    faults: &[Fault],
    course: Course,
    seed: u64,
) -> Option<Report> {
    let mut random = Random(seed);
    let world = World::start(setup, &mut random).await?;
    let people = People::with_credit(&world).await;
    let began = Instant::now();
    let ends = began + course.lasting;
    let pace = Pace {
        rest_ms_max: course.rest_ms_max,
        fault_ms_max: course.fault_ms_max,
        ends,
    };
    let teller = course
        .tells
        .then(|| tokio::spawn(tell(Arc::clone(&world), began)));
    let (credited, tally) = tokio::join!(
        people.act(random.fork(), course.act_every, ends),
        conduct(&world, faults, pace, random.fork()),
    );
    if let Some(teller) = teller {
        teller.abort();
    }
    let lasted = began.elapsed();
    let mut report = audit(&world, &credited, tally).await;
    report.seed = seed;
    report.lasted = lasted;
    Some(report)
}

/// Says how it goes until it is aborted.
async fn tell(world: Arc<World>, began: Instant) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        let counts = world.relay.counts();
        let (written, acknowledged) = (&counts.written, &counts.acknowledged);
        println!(
            "{:>5.0} s: {} webhooks written, {} deliveries acknowledged, {} bookings stand",
            began.elapsed().as_secs_f64(),
            written.load(Ordering::Relaxed),
            acknowledged.load(Ordering::Relaxed),
            world.cal.live().len(),
        );
    }
}
