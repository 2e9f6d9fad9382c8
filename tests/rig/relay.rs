//! Stands between the provider and the daemons, as a load balancer would, and remembers what they
//! acknowledged. What no daemon took is offered again until one does: unlike Cal.com, because only then
//! is it known what everything must come to. Some webhooks come late, and some twice.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::{POLL, Random};

/// Of so many webhooks one comes late, and one comes twice.
const ONE_IN_LATE: u64 = 8;
const ONE_IN_TWICE: u64 = 8;
/// Of so many new bookings that nobody took at once one is never told again, as Cal.com does it.
const ONE_IN_LOST: u64 = 4;
/// The longest that a late one waits.
const LATE_MS_MAX: u64 = 400;
/// What a daemon is given to answer.
const ANSWER_MS_MAX: u64 = 3_000;
const SIGNATURE: &str = "x-cal-signature-256";

/// A webhook on its way.
#[derive(Clone)]
struct Letter {
    signature: Bytes,
    body: Bytes,
}

/// What has passed through.
#[derive(Default)]
pub(crate) struct Counts {
    /// Webhooks that the provider sent.
    pub(crate) written: AtomicU64,
    /// Requests to daemons.
    pub(crate) sent: AtomicU64,
    /// Requests answered with success.
    pub(crate) acknowledged: AtomicU64,
    /// Webhooks given up, none of them acknowledged.
    pub(crate) lost: AtomicU64,
}

struct Inner {
    http: reqwest::Client,
    to: Vec<String>,
    next: AtomicUsize,
    random: Mutex<Random>,
    bag: Mutex<Vec<Letter>>,
    under_way: AtomicUsize,
    acknowledged: Mutex<BTreeSet<Bytes>>,
    counts: Counts,
}

/// The relay. Copies are handles to the same one.
#[derive(Clone)]
pub(crate) struct Relay(Arc<Inner>);

impl Relay {
    /// Starts it; gives its own address too.
    pub(crate) async fn start(to: &[SocketAddr], random: Random) -> (Self, String) {
        let http = super::http()
            .timeout(Duration::from_millis(ANSWER_MS_MAX))
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .unwrap();
        let to = to.iter().map(|to| format!("http://{to}/webhooks/calcom"));
        let relay = Self(Arc::new(Inner {
            http,
            to: to.collect(),
            next: AtomicUsize::new(0),
            random: Mutex::new(random),
            bag: Mutex::default(),
            under_way: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            counts: Counts::default(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(relay.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        tokio::spawn(empty_bag(Arc::downgrade(&relay.0)));
        (relay, url)
    }

    /// The bodies that some daemon acknowledged, as SHA-256 in hex.
    pub(crate) fn acknowledged(&self) -> BTreeSet<String> {
        let bodies = self.0.acknowledged.lock().unwrap();
        bodies.iter().map(|body| fingerprint(body)).collect()
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Whether nothing waits to be delivered.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.bag().is_empty() && self.0.under_way.load(Ordering::SeqCst) == 0
    }
}

/// How bodies are compared.
pub(crate) fn fingerprint(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

async fn take(State(relay): State<Relay>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let inner = relay.0;
    inner.counts.written.fetch_add(1, Ordering::Relaxed);
    let letter = Letter {
        signature: Bytes::copy_from_slice(headers[SIGNATURE].as_bytes()),
        body,
    };
    if inner.one_in(ONE_IN_LATE) {
        inner.bag().push(letter);
        return StatusCode::ACCEPTED;
    }
    if inner.one_in(ONE_IN_TWICE) {
        inner.bag().push(letter.clone());
    }
    inner.under_way.fetch_add(1, Ordering::SeqCst);
    let taken = inner.send(&letter).await;
    if !taken {
        if is_new(&letter.body) && inner.one_in(ONE_IN_LOST) {
            inner.counts.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            inner.bag().push(letter);
        }
    }
    inner.under_way.fetch_sub(1, Ordering::SeqCst);
    match taken {
        true => StatusCode::OK,
        false => StatusCode::BAD_GATEWAY,
    }
}

/// Whether it asks for a booking that is not a move of another one.
fn is_new(body: &[u8]) -> bool {
    let webhook: Value = serde_json::from_slice(body).unwrap();
    webhook["triggerEvent"] == "BOOKING_REQUESTED" && webhook["payload"]["rescheduleUid"].is_null()
}

/// Delivers what is late, in any order, until the relay is gone.
async fn empty_bag(inner: std::sync::Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        let (letter, rest) = {
            let mut random = inner.random.lock().unwrap();
            let mut bag = inner.bag();
            let place = (!bag.is_empty()).then(|| random.place(bag.len()));
            let rest = random.up_to_ms(LATE_MS_MAX / (1 + bag.len() as u64));
            if place.is_some() {
                inner.under_way.fetch_add(1, Ordering::SeqCst);
            }
            (place.map(|place| bag.swap_remove(place)), rest)
        };
        let Some(letter) = letter else {
            drop(inner);
            tokio::time::sleep(POLL).await;
            continue;
        };
        tokio::time::sleep(rest).await; // it is late
        if !inner.send(&letter).await {
            inner.bag().push(letter);
        }
        inner.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    fn one_in(&self, number: u64) -> bool {
        self.random.lock().unwrap().below(number) == 0
    }

    fn bag(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.bag.lock().unwrap()
    }

    /// Asks one daemon after the other, beginning with the next in turn, until one takes it.
    async fn send(&self, letter: &Letter) -> bool {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..self.to.len() {
            let to = &self.to[(first + turn) % self.to.len()];
            self.counts.sent.fetch_add(1, Ordering::Relaxed);
            let request = self.http.post(to).body(letter.body.clone());
            let request = request.header("content-type", "application/json");
            let sent = request.header(SIGNATURE, letter.signature.as_ref()).send();
            if sent.await.is_ok_and(|answer| answer.status().is_success()) {
                self.counts.acknowledged.fetch_add(1, Ordering::Relaxed);
                let mut acknowledged = self.acknowledged.lock().unwrap();
                acknowledged.insert(letter.body.clone());
                return true;
            }
        }
        false
    }
}
