//! People who never stop: they book, move and cancel, hosts answer by hand, and credits are topped up
//! with an idempotency key until somebody says that it is done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bookgate::domain::clock::{Clock, SystemClock, Timestamp, plus_ms};
use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::{Booking, BookingRequest, Person};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{ADMIN_TOKEN, World};
use super::{POLL, Random};

/// Bookers who can pay whatever happens, and bookers who cannot always.
const RICH: u64 = 3;
const SCARCE: u64 = 3;
const RICH_CREDITS: i64 = 1_000_000;
const SCARCE_CREDITS: i64 = 3;
/// Of so many bookings one is of an event type that does not ask the host.
const ONE_IN_CHAT: u64 = 5;
const HOUR_MS: i64 = 3_600_000;
/// The first appointment: far enough off that no clock that is wrong comes near it.
const FIRST_HOUR: i64 = 300;
/// Tries of one top-up: ten minutes.
const TRIES_MAX: usize = 24_000;

/// A booking that nobody is busy with, and whose it is.
type Idle = (Uid, u64);

/// The people of an installation.
pub(crate) struct People {
    world: Arc<World>,
    idle: Mutex<Vec<Idle>>,
    credited: Mutex<BTreeMap<String, i64>>,
}

impl People {
    /// People who can pay, those of them who always can.
    pub(crate) async fn with_credit(world: &Arc<World>) -> Arc<Self> {
        let people = Self {
            world: Arc::clone(world),
            idle: Mutex::default(),
            credited: Mutex::default(),
        };
        for booker in 0..RICH {
            let key = format!("first {booker}");
            people.top_up(booker, RICH_CREDITS, &key).await;
        }
        Arc::new(people)
    }

    /// Act until `ends`, about every `every`. Gives the credits topped up by each booker.
    pub(crate) async fn act(
        self: &Arc<Self>,
        mut random: Random,
        every: Duration,
        ends: Instant,
    ) -> BTreeMap<String, i64> {
        let mut acts = JoinSet::new();
        let every_ms = u64::try_from(every.as_millis()).unwrap();
        let mut number = 0;
        while Instant::now() < ends {
            number += 1;
            let (people, choices) = (Arc::clone(self), random.fork());
            acts.spawn(async move { people.something(number, choices).await });
            while acts.try_join_next().is_some_and(|act| act.is_ok()) {}
            tokio::time::sleep(random.up_to_ms(2 * every_ms)).await; // the load's own pace
        }
        acts.join_all().await;
        self.credited.lock().unwrap().clone()
    }

    async fn something(&self, number: i64, mut random: Random) {
        let cal = &self.world.cal;
        let start = plus_ms(SystemClock.now(), (FIRST_HOUR + number) * HOUR_MS);
        match random.below(16) {
            0..=7 => self.book(start, &mut random).await,
            8 | 9 => {
                let Some((uid, booker)) = self.any(&mut random) else {
                    return;
                };
                let moved = cal.reschedule_by_booker(&uid, start, None).await;
                self.release(moved.ok(), booker);
            }
            10 => {
                let Some((uid, booker)) = self.any_of_rich(&mut random) else {
                    return;
                };
                let moved = cal.reschedule_by_host(&uid, start, None).await;
                self.release(moved.ok(), booker);
            }
            11 => {
                if let Some((uid, _)) = self.any(&mut random) {
                    let _ = cal.cancel_by_booker(&uid, Some("changed plans")).await;
                }
            }
            12 => {
                if let Some((uid, _)) = self.any(&mut random) {
                    let _ = cal.cancel_by_host(&uid, Some("ill")).await;
                }
            }
            13 => {
                if let Some((uid, booker)) = self.any_of_rich(&mut random) {
                    if self.is_pending(&uid) {
                        let _ = cal.confirm_by_host(&uid).await;
                    }
                    self.release(cal.booking(&uid), booker);
                }
            }
            14 => {
                if let Some((uid, booker)) = self.any(&mut random) {
                    if self.is_pending(&uid) {
                        let _ = cal.decline_by_host(&uid, Some("no")).await;
                    }
                    self.release(cal.booking(&uid), booker);
                }
            }
            _ => {
                let booker = RICH + random.below(SCARCE);
                self.top_up(booker, SCARCE_CREDITS, &format!("act {number}"))
                    .await;
            }
        }
    }

    async fn book(&self, start: Timestamp, random: &mut Random) {
        let booker = random.below(RICH + SCARCE);
        let event_type = match random.below(ONE_IN_CHAT) {
            0 => "chat",
            _ => "consultation",
        };
        let person = Person::new(format!("Booker {booker}"), address(booker));
        let request = BookingRequest::new(event_type, start, person);
        // The slot may be taken: moves and bookings choose theirs independently.
        self.release(self.world.cal.book(request).await.ok(), booker);
    }

    fn is_pending(&self, uid: &Uid) -> bool {
        let booking = self.world.cal.booking(uid);
        booking.is_some_and(|booking| booking.status.as_str() == "pending")
    }

    /// Takes a booking that nobody is busy with: a booking's people act one after the other.
    fn any(&self, random: &mut Random) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap();
        let place = (!idle.is_empty()).then(|| random.place(idle.len()))?;
        Some(idle.swap_remove(place))
    }

    /// As [`People::any`], of a booker who can pay: what the host lets stand has to be paid, too.
    fn any_of_rich(&self, random: &mut Random) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap();
        let rich = |(_, booker): &Idle| *booker < RICH;
        let places: Vec<_> = (0..idle.len())
            .filter(|place| rich(&idle[*place]))
            .collect();
        let place = (!places.is_empty()).then(|| places[random.place(places.len())])?;
        Some(idle.swap_remove(place))
    }

    fn release(&self, booking: Option<Booking>, booker: u64) {
        let mut idle = self.idle.lock().unwrap();
        idle.extend(booking.map(|booking| (booking.uid, booker)));
    }

    /// Tries until it is answered, over any number of daemons.
    async fn top_up(&self, booker: u64, credits: i64, key: &str) {
        let body = json!({"amount": credits.to_string(), "unit": "CREDIT", "reason": "rig"});
        for attempt in 0..TRIES_MAX {
            let slots = &self.world.slots;
            let admin = slots[attempt % slots.len()].post.admin;
            let url = format!("http://{admin}/v1/accounts/{}/top-ups", address(booker));
            let request = self.world.http.post(url).bearer_auth(ADMIN_TOKEN);
            let sent = request.header("idempotency-key", key).json(&body).send();
            if sent.await.is_ok_and(|answer| answer.status() == 201) {
                let mut credited = self.credited.lock().unwrap();
                *credited.entry(address(booker)).or_default() += credits;
                return;
            }
            tokio::time::sleep(POLL).await;
        }
        self.world
            .violated(format!("the top-up `{key}` was never answered"));
    }
}

fn address(booker: u64) -> String {
    format!("booker{booker}@reader.example")
}
