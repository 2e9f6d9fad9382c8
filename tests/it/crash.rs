//! The real process dies under load, at random points, and comes back. What it acknowledged is there,
//! every booking is decided once, no call takes effect twice, and the credits add up.

mod daemon;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bookgate::domain::clock::{Clock, SystemClock, plus_ms};
use bookgate::domain::ids::Uid;
use bookgate::standin::{BookingRequest, Delivery, Options, Person, StandIn, Subscription};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{ADMIN_TOKEN, CREDIT_POLICY, SECRET, answer};
use daemon::{Daemon, POLL, Post, Relay};

/// How often the daemon is ended.
const ROUNDS: u64 = 8;
const BOOKINGS_A_ROUND: u64 = 20;
const TOP_UPS_A_ROUND: u64 = 3;
const BOOKERS: u64 = 5;
/// Credits a top-up and a booking.
const TOP_UP: i64 = 3;
const COST: i64 = 2;
/// The longest that a daemon lives.
const LIFE_MS_MAX: u64 = 400;
/// Looks before it is given up that everything is settled: a minute.
const LOOKS_MAX: usize = 2_400;
const HOUR_MS: i64 = 3_600_000;

/// How a daemon ends.
#[derive(Clone, Copy)]
enum End {
    Kill,
    Terminate,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_nothing_acknowledged_in_the_journal_is_lost() {
    survive("journal", End::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_nothing_acknowledged_by_the_database_is_lost() {
    survive("database", End::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load_it_ends_well_and_loses_nothing() {
    survive("journal", End::Terminate).await;
}

async fn survive(acknowledge: &str, end: End) {
    let seed = seed();
    eprintln!("BOOKGATE_TEST_SEED={seed}");
    let mut random = Random(seed);
    let world = Arc::new(World::new(acknowledge).await);
    let mut top_ups = JoinSet::new();
    for round in 0..ROUNDS {
        let daemon = world.post.start(&world.http).await;
        let mut bookings = JoinSet::new();
        for number in 0..BOOKINGS_A_ROUND {
            let (world, booker) = (Arc::clone(&world), random.below(BOOKERS));
            let hour = round * BOOKINGS_A_ROUND + number;
            let after = Duration::from_millis(random.below(LIFE_MS_MAX));
            bookings.spawn(async move {
                tokio::time::sleep(after).await; // the load is spread over the daemon's life
                world.book(booker, hour).await;
            });
        }
        for number in 0..TOP_UPS_A_ROUND {
            let (world, booker) = (Arc::clone(&world), random.below(BOOKERS));
            let key = format!("round {round}, top-up {number}");
            top_ups.spawn(async move { world.top_up(booker, &key).await });
        }
        // Not to wait for anything: it dies at any moment.
        tokio::time::sleep(Duration::from_millis(random.below(LIFE_MS_MAX))).await;
        world.end(daemon, end).await;
        bookings.join_all().await;
    }
    let daemon = world.post.start(&world.http).await;
    let mut credited = BTreeMap::new();
    for booker in top_ups.join_all().await {
        *credited.entry(booker).or_default() += TOP_UP;
    }
    world.settle().await;
    world.assert_bookings().await;
    world.assert_balances(&credited).await;
    assert!(daemon.terminate().await.success(), "{}", world.post.log());
}

/// Everything around the daemon.
struct World {
    post: Post,
    relay: Relay,
    cal: StandIn,
    http: reqwest::Client,
    _folder: TempDir,
}

impl World {
    async fn new(acknowledge: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // whoever comes first
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("credits.toml"), CREDIT_POLICY).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Options {
            delivery: Delivery::Live,
            ..Options::default()
        };
        let cal = StandIn::start(listener, Arc::new(SystemClock), options).unwrap();
        let env = vec![
            ("SECRET", SECRET.to_owned()),
            ("ADMIN", ADMIN_TOKEN.to_owned()),
            ("KEY", cal.api_key().to_owned()),
        ];
        let post = Post::new(folder.path(), env).await;
        post.write_settings(&settings(&post, &cal, acknowledge));
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let (relay, url) = Relay::start(http.clone(), post.public).await;
        cal.subscribe(Subscription::to_everything(url, SECRET))
            .unwrap();
        Self {
            post,
            relay,
            cal,
            http,
            _folder: folder,
        }
    }

    async fn end(&self, daemon: Daemon, end: End) {
        match end {
            End::Kill => daemon.kill(),
            End::Terminate => {
                let status = daemon.terminate().await;
                assert!(status.success(), "{status}:\n{}", self.post.log());
            }
        }
    }

    async fn book(&self, booker: u64, hour: u64) {
        let hours = 72 + i64::try_from(hour).unwrap();
        let start = plus_ms(SystemClock.now(), hours * HOUR_MS);
        let person = Person::new(format!("Booker {booker}"), address(booker));
        let request = BookingRequest::new("consultation", start, person);
        self.cal.book(request).await.unwrap();
    }

    /// Tries until it is answered, over any number of daemons. Gives the booker.
    async fn top_up(&self, booker: u64, key: &str) -> u64 {
        let path = format!("/v1/accounts/{}/top-ups", address(booker));
        let body = json!({"amount": TOP_UP.to_string(), "unit": "CREDIT", "reason": "test"});
        for _ in 0..LOOKS_MAX {
            let request = self.http.post(format!("http://{}{path}", self.post.admin));
            let request = request.bearer_auth(ADMIN_TOKEN).json(&body);
            let sent = request.header("idempotency-key", key).send().await;
            if sent.is_ok_and(|answer| answer.status() == 201) {
                return booker;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("no top-up:\n{}", self.post.log());
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.post.admin);
        answer(self.http.get(url).bearer_auth(ADMIN_TOKEN)).await
    }

    /// Waits until all that was acknowledged is worked, and nothing is left to do.
    async fn settle(&self) {
        let mut open = Value::Null;
        for _ in 0..LOOKS_MAX {
            open = self.first_open().await;
            if open.is_null() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("never settled: {open}\n{}", self.post.log());
    }

    async fn first_open(&self) -> Value {
        for uid in self.relay.acknowledged().keys() {
            let (status, booking) = self.get(&format!("/v1/bookings/calcom/{uid}")).await;
            if status != 200 || booking["settled"] != true || booking["status"] == "pending" {
                return json!([uid, status, booking]);
            }
        }
        Value::Null
    }

    async fn assert_bookings(&self) {
        let acknowledged = self.relay.acknowledged();
        assert!(!acknowledged.is_empty(), "no daemon lived long enough");
        for (uid, bodies) in &acknowledged {
            let (_, booking) = self.get(&format!("/v1/bookings/calcom/{uid}")).await;
            let stored = booking["deliveries"].as_array().unwrap().len();
            assert!(stored >= bodies.len(), "deliveries are missing: {booking}");
            let decisions = booking["decisions"].as_array().unwrap();
            assert_eq!(decisions.len(), 1, "{booking}");
            assert_eq!(decisions[0]["round"], 1, "{booking}");
            let said = match decisions[0]["outcome"].as_str() {
                Some("accept") => "accepted",
                Some("reject") => "rejected",
                other => panic!("{other:?}: {booking}"),
            };
            let row = self.cal.booking(&Uid::new(uid.as_str())).unwrap();
            assert_eq!(row.status.as_str(), said, "{booking}");
        }
        for row in self.cal.bookings() {
            let effects = self.cal.effective_calls(&row.uid);
            assert!(effects.len() <= 1, "{effects:?}");
        }
        let (_, listed) = self.get("/v1/dead-letters").await;
        assert_eq!(listed["items"], json!([]));
    }

    async fn assert_balances(&self, credited: &BTreeMap<u64, i64>) {
        let (_, verified) = self.get("/v1/ledger/verify").await;
        assert_eq!(verified["ok"], true, "{verified}");
        for (booker, credited) in credited {
            let live = self.cal.live();
            let theirs = live
                .iter()
                .filter(|row| row.booker.email == address(*booker));
            let spent = COST * i64::try_from(theirs.count()).unwrap();
            let path = format!("/v1/accounts/{}", address(*booker));
            let (_, account) = self.get(&path).await;
            let balance = &account["balances"][0];
            let left = credited - spent;
            assert!(left >= 0, "below zero: {account}");
            assert_eq!(balance["posted"], left.to_string(), "{account}");
            assert_eq!(balance["held"], "0", "{account}");
        }
    }
}

fn address(booker: u64) -> String {
    format!("booker{booker}@reader.example")
}

/// Short times, so that what a dead worker left behind is taken up soon.
fn settings(post: &Post, cal: &StandIn, acknowledge: &str) -> String {
    format!(
        r#"
[server]
listen = "{public}"
admin_listen = "{admin}"
acknowledge = "{acknowledge}"
[admin.tokens.ops]
role = "admin"
secret = "env:ADMIN"
[worker]
lease_ms = 1000
attempt_grace_ms = 100
retry_schedule_ms = [100, 200, 400, 800, 1600, 3200, 3200, 3200]
[sources.calcom]
provider = "calcom"
signing_secrets = ["env:SECRET"]
settle_ms = 200
[sources.calcom.api]
base_url = "{base}"
key = "env:KEY"
requests_per_minute = 0
connect_timeout_ms = 1000
call_timeout_ms = 1000
"#,
        public = post.public,
        admin = post.admin,
        base = cal.base_url(),
    )
}

/// From the environment, to see a failure again; else another each time.
fn seed() -> u64 {
    match std::env::var("BOOKGATE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("BOOKGATE_TEST_SEED is a number"),
        Err(_) => uuid::Uuid::now_v7().as_u64_pair().1,
    }
}

/// SplitMix64, by Steele, Lea and Flood.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
