//! Counts afterwards: what was acknowledged, stored, decided and done, and whether it is what it must
//! be. All by looking at the store, the provider and the relay, past what bookgate says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bookgate::domain::booking::Status;
use bookgate::standin::calcom::{Booking, Operation};
use tokio::time::Instant;

use super::POLL;
use super::conductor::Tally;
use super::world::{COST, SCALE, World};

/// How long it may take until all is done once faults have ended. A booking that could not be read
/// rests for a minute.
const SETTLE_MAX: Duration = Duration::from_secs(150);
/// Looks in a row that must find nothing to do.
const QUIET_LOOKS: usize = 4;

/// What is left to do: deliveries not filed, open commands, calls without an answer, chains that are
/// due, chains in hand.
const LEFT: &str = "
    SELECT CAST((SELECT count(*) FROM delivery WHERE filed_at IS NULL) AS TEXT),
           CAST((SELECT count(*) FROM command WHERE state = 'open') AS TEXT),
           CAST((SELECT count(*) FROM attempt WHERE result IS NULL) AS TEXT),
           CAST((SELECT count(*) FROM chain WHERE due_at IS NOT NULL) AS TEXT),
           CAST((SELECT count(*) FROM chain WHERE lease_until IS NOT NULL) AS TEXT)";
/// What must not be there at all.
const TROUBLE: &str = "
    SELECT 'dead letter', uid, COALESCE(note, '') FROM command WHERE state = 'dead'
    UNION ALL
    SELECT state, CAST(id AS TEXT), COALESCE(note, '') FROM delivery
        WHERE state IN ('unparsed', 'quarantined') AND filed_at IS NOT NULL
    UNION ALL
    SELECT 'waiver', CAST(chain_id AS TEXT), reason FROM waiver";
/// Every decision: of what, which round, and who decided.
const DECISIONS: &str = "
    SELECT uid, CAST(start_at AS TEXT), CAST(round AS TEXT), decided_by FROM decision";
const BOOKINGS: &str = "SELECT uid, status FROM booking";
const ACCOUNTS: &str = "
    SELECT owner, CAST(posted AS TEXT), CAST(held AS TEXT) FROM account WHERE kind = 'booker'";
/// Calls of which nobody knew for a time whether they were done.
const UNKNOWN: &str = "
    SELECT command.uid, command.action, CAST(count(*) AS TEXT)
    FROM attempt JOIN command ON command.id = attempt.command_id
    WHERE attempt.result = 'unknown' GROUP BY command.uid, command.action";

/// What came of it all.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) lasted: Duration,
    settled_in: Duration,
    written: u64,
    sent: u64,
    acknowledged: u64,
    distinct: usize,
    lost: u64,
    stored: usize,
    decided: usize,
    bookings: usize,
    calls: usize,
    unknown: usize,
    effects: usize,
    faults: Tally,
    pub(crate) violations: Vec<String>,
    /// Left behind for a person to look at, if anything is wrong.
    folder: Option<PathBuf>,
}

/// Waits until all is done, counts, and ends the daemons. All faults must be mended.
pub(crate) async fn audit(
    world: &World,
    credited: &BTreeMap<String, i64>,
    faults: Tally,
) -> Report {
    let began = Instant::now();
    let mut violations = Vec::new();
    if let Err(left) = settle(world).await {
        violations.push(left);
    }
    let settled_in = began.elapsed();
    let (acknowledged, stored) = (world.relay.acknowledged(), world.store.bodies().await);
    let missing = acknowledged.difference(&stored).count();
    if missing > 0 {
        violations.push(format!(
            "{missing} webhooks were acknowledged and are not stored"
        ));
    }
    let decisions = world.store.rows(DECISIONS).await;
    violations.extend(decided_once(&decisions));
    let told = told(world).await;
    violations.extend(agrees(world, &told, &decisions));
    violations.extend(balances(world, &told, credited).await);
    violations.extend(effects(world).await);
    for row in world.store.rows(TROUBLE).await {
        violations.push(row.join(" "));
    }
    for slot in &world.slots {
        let verified = world.get(slot, "/v1/ledger/verify").await;
        if verified.as_ref().is_none_or(|answer| answer["ok"] != true) {
            violations.push(format!("the ledger does not verify: {verified:?}"));
        }
    }
    world.end().await;
    violations.extend(world.violations());
    let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let counts = world.relay.counts();
    let calls = world.cal.calls();
    Report {
        settled_in,
        written: count(&counts.written),
        sent: count(&counts.sent),
        acknowledged: count(&counts.acknowledged),
        distinct: acknowledged.len(),
        lost: count(&counts.lost),
        stored: stored.len(),
        decided: decisions.len(),
        bookings: world.cal.bookings().len(),
        calls: calls.len(),
        unknown: world.store.rows(UNKNOWN).await.len(),
        effects: calls.iter().filter(|call| call.effective).count(),
        faults,
        folder: (!violations.is_empty()).then(|| {
            let folder = world.keep_folder();
            world.store.dump(&folder);
            folder
        }),
        violations,
        ..Report::default()
    }
}

/// Waits until the relay holds nothing back and the store has nothing left to do, for some looks.
async fn settle(world: &World) -> Result<(), String> {
    let ends = Instant::now() + SETTLE_MAX;
    let mut quiet = 0;
    loop {
        let left = world.store.rows(LEFT).await.remove(0);
        let idle = world.relay.is_idle() && left.iter().all(|number| number == "0");
        quiet = if idle { quiet + 1 } else { 0 };
        if quiet == QUIET_LOOKS && all_stored(world).await {
            return Ok(());
        }
        if Instant::now() > ends {
            let idle = world.relay.is_idle();
            return Err(format!(
                "never settled: {} deliveries not filed, {} commands open, {} calls unanswered, \
                 {} chains due, {} in hand; relay idle: {idle}",
                left[0], left[1], left[2], left[3], left[4],
            ));
        }
        tokio::time::sleep(4 * POLL).await;
    }
}

async fn all_stored(world: &World) -> bool {
    let stored = world.store.bodies().await;
    world.relay.acknowledged().is_subset(&stored)
}

/// One decision of each revision; a further one only after the host overtook it.
fn decided_once(decisions: &[Vec<String>]) -> Vec<String> {
    let mut rounds: BTreeMap<(&str, &str), Vec<&[String]>> = BTreeMap::new();
    for row in decisions {
        let revision = (row[0].as_str(), row[1].as_str());
        rounds.entry(revision).or_default().push(&row[2..]);
    }
    let once = |rounds: &Vec<&[String]>| {
        let first = rounds.iter().filter(|row| row[0] == "1").count();
        first == 1 && rounds.iter().all(|row| row[0] == "1" || row[1] == "host")
    };
    let wrong = rounds.iter().filter(|(_, rounds)| !once(rounds));
    wrong
        .map(|((uid, _), rounds)| format!("{uid} was decided more than once: {rounds:?}"))
        .collect()
}

/// What bookgate thinks of each booking that it has heard of.
async fn told(world: &World) -> BTreeMap<String, String> {
    let rows = world.store.rows(BOOKINGS).await;
    let pair = |mut row: Vec<String>| (row.remove(0), row.remove(0));
    rows.into_iter().map(pair).collect()
}

/// Every booking that was heard of ended as the provider has it, by a decision.
fn agrees(
    world: &World,
    told: &BTreeMap<String, String>,
    decisions: &[Vec<String>],
) -> Vec<String> {
    let decided: BTreeSet<_> = decisions.iter().map(|row| row[0].as_str()).collect();
    let mut wrong = Vec::new();
    for row in world.cal.bookings() {
        let (uid, is) = (row.uid.as_str(), row.status.as_str());
        let Some(thought) = told.get(uid) else {
            continue;
        };
        let same = match row.status {
            Status::Rejected | Status::Cancelled => {
                ["rejected", "cancelled", "superseded"].contains(&thought.as_str())
            }
            _ => thought == is,
        };
        if !same {
            wrong.push(format!(
                "{uid} is {is} at the provider, and thought to be {thought}"
            ));
        }
        // What the host refused before we came to it needs no decision.
        let undecided = row.status == Status::Accepted && !decided.contains(uid);
        if row.status == Status::Pending || undecided {
            wrong.push(format!(
                "{uid} is {is}, and was never decided or never answered"
            ));
        }
    }
    wrong
}

/// Everybody has what was topped up, less the price of the bookings that stand.
async fn balances(
    world: &World,
    told: &BTreeMap<String, String>,
    credited: &BTreeMap<String, i64>,
) -> Vec<String> {
    let rows = world.store.rows(ACCOUNTS).await;
    let is = |owner: &str| {
        let row = rows.iter().find(|row| row[0] == owner)?;
        Some((row[1].clone(), row[2].clone()))
    };
    let live = world.cal.live();
    let mut wrong = Vec::new();
    for (owner, credits) in credited {
        let theirs =
            |row: &&Booking| row.booker.email == *owner && told.contains_key(row.uid.as_str());
        let standing = i64::try_from(live.iter().filter(theirs).count()).unwrap();
        let expected = (SCALE * (credits - COST * standing)).to_string();
        if is(owner) != Some((expected.clone(), "0".to_owned())) {
            wrong.push(format!(
                "{owner} has (posted, held) {:?}; {credits} credits less {standing} bookings are {expected}",
                is(owner)
            ));
        }
    }
    wrong
}

/// No call took effect twice, but where nobody could know that it had.
async fn effects(world: &World) -> Vec<String> {
    let mut allowed: BTreeMap<(String, String), usize> = BTreeMap::new();
    for mut row in world.store.rows(UNKNOWN).await {
        let unknown: usize = row.remove(2).parse().unwrap();
        allowed.insert((row.remove(0), row.remove(0)), 1 + unknown);
    }
    let mut made: BTreeMap<(String, String), usize> = BTreeMap::new();
    for call in world.cal.calls().into_iter().filter(|call| call.effective) {
        let action = match call.operation {
            Operation::Confirm => "confirm",
            Operation::Decline => "decline",
            _ => "cancel",
        };
        let uid = call.uid.map(|uid| uid.to_string()).unwrap_or_default();
        *made.entry((uid, action.to_owned())).or_default() += 1;
    }
    made.into_iter()
        .filter(|(call, times)| *times > allowed.get(call).copied().unwrap_or(1))
        .map(|((uid, action), times)| format!("{uid}: {action} took effect {times} times"))
        .collect()
}

impl Report {
    /// Whether nothing is wrong, and anything happened at all.
    pub(crate) fn is_good(&self) -> bool {
        self.violations.is_empty() && self.distinct > 0 && self.decided > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duplicates = self.acknowledged.saturating_sub(self.distinct as u64);
        writeln!(out, "seed                  {}", self.seed)?;
        writeln!(out, "lasted                {:.1?}", self.lasted)?;
        writeln!(out, "settled in            {:.1?}", self.settled_in)?;
        writeln!(out, "webhooks written      {}", self.written)?;
        writeln!(out, "webhooks never told   {}", self.lost)?;
        writeln!(out, "deliveries sent       {}", self.sent)?;
        writeln!(out, "deliveries answered   {}", self.acknowledged)?;
        writeln!(out, "  of them duplicates  {duplicates}")?;
        writeln!(out, "webhooks acknowledged {}", self.distinct)?;
        writeln!(out, "webhooks stored       {}", self.stored)?;
        writeln!(out, "bookings              {}", self.bookings)?;
        writeln!(out, "decided               {}", self.decided)?;
        writeln!(out, "calls to the provider {}", self.calls)?;
        writeln!(out, "  unknown for a time  {}", self.unknown)?;
        writeln!(out, "effects               {}", self.effects)?;
        for (fault, times) in &self.faults {
            writeln!(out, "fault {times:>4} x {fault}")?;
        }
        writeln!(out, "violations            {}", self.violations.len())?;
        for violation in &self.violations {
            writeln!(out, "- {violation}")?;
        }
        if let Some(folder) = &self.folder {
            writeln!(out, "see {}", folder.display())?;
        }
        Ok(())
    }
}
