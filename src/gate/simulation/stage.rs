//! What histories are told on: the policy, who has how much, and daemons without their doors.

use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, Notify, watch};

use super::history::Who;
use super::world::{CALL_TIMEOUT_MS, GRACE_MS, World, booker};
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::booking::Party;
use crate::domain::clock::{Clock, ManualClock, Timestamp};
use crate::domain::ids::SourceName;
use crate::domain::timeline::{Created, HostConfirm, Rules, SharedRefusal};
use crate::gate::archive::Archive;
use crate::gate::callouts::{self, Callouts};
use crate::gate::crew::Crew;
use crate::gate::give_way::GiveWay;
use crate::gate::metrics::{CallMeter, ListMeter, Metrics, Scrapes};
use crate::gate::notices::Notices;
use crate::gate::policies::Policies;
use crate::gate::{
    Acknowledge, Activity, Actor, CreditKind, CreditRequest, Desk, GateSettings, Inner, Source,
};
use crate::gate::{ReconcileSettings, RetentionSettings, StartingPolicies, inbox};
use crate::journal::Journal;
use crate::policy::{self, LoadContext, PolicySet, SourceFile};
use crate::provider::callout::Caller;
use crate::provider::traced::Tracer;
use crate::provider::{Provider, registry};
use crate::storage::Storage;

/// How long a lease lasts, in ms.
const LEASE_MS: i64 = 30_000;
/// How long the provider's state may lag behind a call or a webhook, in ms.
pub(super) const SETTLE_MS: i64 = 10_000;
/// Source of all bookings.
pub(super) const SOURCE: &str = "cal";
/// What the rich and the poor booker have, and what a booking costs, in whole credits.
pub(super) const RICH: i64 = 1_000;
pub(super) const POOR: i64 = 3;
pub(super) const PRICE: i64 = 2;

const POLICY: &str = r#"
schema = 1
[policy]
id = "credits"
[credits]
unit = "CREDIT"
cost = { base = "2" }
refund = [{ notice = "48h", percent = 100 }]
[[criterion]]
id = "has-credit"
kind = "credit"
message = "This costs {cost} credits."
[require]
all = ["has-credit"]
"#;

/// What all histories share, because none changes it.
pub(super) struct Stage {
    policies: Arc<PolicySet>,
    pub(super) parser: Arc<dyn Provider>,
    journal: Arc<Journal>,
    caller: Arc<Caller>,
    /// The store as every history finds it: everybody has his credit.
    pub(super) image: Vec<u8>,
}

impl Stage {
    /// Sets it up; `folder` stays empty.
    pub(super) async fn set(folder: &std::path::Path) -> Self {
        let file = SourceFile {
            name: "credits.toml".to_owned(),
            text: POLICY.to_owned(),
        };
        let units = units().map(|unit| (unit.code.clone(), unit)).into();
        let context = LoadContext::new(&units, &|_, _| Err(std::io::ErrorKind::NotFound.into()));
        let policies = match policy::load(vec![file], &context) {
            Ok((policies, _)) => Arc::new(policies),
            Err(found) => panic!("{}", found.render(false)),
        };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(noon()));
        let storage = Storage::in_memory(&self::units(), None).await.unwrap();
        let desk = Desk::new(storage.clone(), self::units(), Arc::clone(&clock));
        for (who, amount) in [(Who::Rich, RICH), (Who::Poor, POOR)] {
            let top_up = top_up(booker(who).email, amount);
            desk.change_credit(top_up).await.unwrap();
        }
        let api = toml::from_str("key = 'nobody asks'").unwrap();
        let entry = registry::find("calcom").unwrap();
        let journal = crate::journal::JournalSettings::new(folder.join("journal"));
        Self {
            policies,
            caller: callouts::nobody(Arc::clone(&clock)),
            parser: (entry.build)(registry::Setup {
                api,
                subscription: None,
                calling: registry::Calling::whatever_comes(clock),
            })
            .unwrap(),
            journal: Arc::new(Journal::open(&journal).unwrap().0),
            image: storage.image().await.unwrap(),
        }
    }
}

/// One daemon's gate.
pub(super) fn gate(
    stage: &Stage,
    number: usize,
    desk: &Desk,
    world: &Arc<World>,
    clock: &Arc<dyn Clock>,
) -> Inner {
    let provider: Arc<dyn Provider> = Arc::<World>::clone(world);
    let rules = Rules {
        created: Created::Decide,
        host_confirm: HostConfirm::Respect,
        unknown_canceller: Party::Host,
        settle_ms: SETTLE_MS,
        series_settle_ms: 5_000,
        attempt_grace_ms: GRACE_MS,
        shared_refusal: SharedRefusal::Defer,
        provider: provider.capabilities(),
    };
    let source = Source::new(SourceName::new(SOURCE), provider, None, rules);
    let (intake, arrivals) = inbox::intake();
    Inner {
        desk: desk.clone(),
        storage: desk.storage.clone(),
        journal: Arc::clone(&stage.journal),
        policies: Policies::new(
            StartingPolicies::unchanging(Arc::clone(&stage.policies)),
            clock.now(),
        ),
        archive: Archive::with(stage.policies.hash()),
        sources: [(SOURCE.to_owned(), source)].into(),
        callouts: Callouts::new(Arc::clone(&stage.caller)),
        clock: Arc::clone(clock),
        metrics: Metrics::new(&CallMeter::default(), &ListMeter::default()),
        tracer: Tracer::default(),
        scrapes: Scrapes::default(),
        notices: Notices::default(),
        settings: GateSettings {
            acknowledge: Acknowledge::Database,
            journal_when_store_is_down: false,
            store_patience_ms: 1_000,
            concurrency: 1,
            lease_ms: LEASE_MS,
            drain_batch_max: 1,
            journal_age_max_ms: 0,
            retention: RetentionSettings::for_ever(),
            reconcile: ReconcileSettings {
                interval_ms: 0,
                days_back: 0,
            },
            retry_schedule_ms: vec![CALL_TIMEOUT_MS, 60_000, 300_000],
            worker_name: format!("w{number}"),
        },
        jobs: Vec::new(),
        unfiled: Mutex::new(None),
        crew: Crew::new(1),
        takes_over: AtomicBool::new(true),
        journal_refused_at: AtomicI64::new(0),
        intake,
        arrivals: Mutex::new(arrivals),
        give_way: GiveWay::new(),
        arrived: Notify::new(),
        work: Notify::new(),
        leasing: Mutex::new(()),
        idle: watch::Sender::new(Activity::default()),
    }
}

fn top_up(owner: String, credits: i64) -> CreditRequest {
    CreditRequest {
        kind: CreditKind::TopUp,
        idempotency_key: format!("first of {owner}"),
        owner,
        amount: credits.to_string(),
        unit: "CREDIT".to_owned(),
        reason: None,
        metadata: None,
        actor: Actor::new("simulation"),
    }
}

/// The one unit of account.
pub(super) fn units() -> [Unit; 1] {
    static CREDIT: OnceLock<UnitCode> = OnceLock::new();
    let code = CREDIT.get_or_init(|| UnitCode::try_from("CREDIT").unwrap());
    [Unit {
        code: code.clone(),
        scale: 2,
    }]
}

/// When every history begins.
pub(super) fn noon() -> Timestamp {
    "2027-03-01T12:00:00Z".parse().unwrap()
}
