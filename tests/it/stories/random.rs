//! Histories that nobody thought of: people act at random, webhooks come late, twice and in any order,
//! and in the end everything is as the provider has it.
//!
//! A history is told by its seed alone; a failing one prints it. `BOOKGATE_TEST_SEED=17` tells just that
//! one again, `BOOKGATE_TEST_HISTORIES=1000` tells more of them.

use bookgate::domain::clock::plus_ms;
use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::OutgoingWebhook;

use crate::harness::{Installation, Setup, noon};

/// Histories told by default.
const HISTORIES: u64 = 60;
/// Things that happen in one history.
const ACTS: usize = 14;

/// A small generator (splitmix64): the same numbers for the same seed, for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

/// One history under way.
struct History<'i> {
    it: &'i Installation,
    dice: Dice,
    uids: Vec<Uid>,
    /// Webhooks on their way; each may still be delivered, some again.
    under_way: Vec<OutgoingWebhook>,
    log: Vec<String>,
    hour: i64,
}

impl History<'_> {
    fn some_uid(&mut self) -> Option<Uid> {
        if self.uids.is_empty() {
            return None;
        }
        let index = self.dice.roll(self.uids.len());
        Some(self.uids[index].clone())
    }

    /// A start that nobody else has, far enough ahead for a full refund.
    fn next_start(&mut self) -> bookgate::domain::clock::Timestamp {
        self.hour += 2;
        plus_ms(noon(), (200 + self.hour) * 3_600_000)
    }

    async fn act(&mut self) {
        let cal = &self.it.cal;
        match self.dice.roll(12) {
            0 | 1 => {
                let kind = ["consultation", "chat"][self.dice.roll(2)];
                let mut request = self.it.request(kind, 1);
                request.start = self.next_start();
                let booking = cal.book(request).await.unwrap();
                self.log.push(format!("book {kind} {}", booking.uid));
                self.uids.push(booking.uid);
            }
            2 | 3 => self.reschedule().await,
            4 => {
                if let Some(uid) = self.some_uid() {
                    let done = self.it.cal.cancel_by_booker(&uid, None).await.is_ok();
                    self.log.push(format!("booker cancels {uid}: {done}"));
                }
            }
            5 => {
                if let Some(uid) = self.some_uid() {
                    let done = self.it.cal.cancel_by_host(&uid, Some("ill")).await.is_ok();
                    self.log.push(format!("host cancels {uid}: {done}"));
                }
            }
            6 => {
                // Also what has ended, which Cal.com brings back; but not what was moved away.
                let it = self.it;
                let there = |uid: &Uid| !it.cal.booking(uid).unwrap().rescheduled;
                if let Some(uid) = self.some_uid().filter(there) {
                    let done = self.it.cal.confirm_by_host(&uid).await.is_ok();
                    self.log.push(format!("host confirms {uid}: {done}"));
                }
            }
            7 => {
                let pending = self
                    .some_uid()
                    .filter(|uid| self.it.status_at_cal(uid) == "pending");
                if let Some(uid) = pending {
                    let done = self.it.cal.decline_by_host(&uid, None).await.is_ok();
                    self.log.push(format!("host declines {uid}: {done}"));
                }
            }
            8 => {
                let seconds = i64::try_from(self.dice.roll(30)).unwrap();
                self.log.push(format!("{seconds} s pass"));
                self.it.pass_ms(seconds * 1_000).await;
            }
            _ => self.deliver_some().await,
        }
        self.under_way.extend(self.it.cal.take_outbox());
    }

    async fn reschedule(&mut self) {
        let Some(uid) = self.some_uid() else { return };
        let by_host = self.dice.roll(3) == 0;
        let start = self.next_start();
        let moved = if by_host {
            self.it.cal.reschedule_by_host(&uid, start, None).await
        } else {
            self.it.cal.reschedule_by_booker(&uid, start, None).await
        };
        let to = moved
            .as_ref()
            .map_or("refused".to_owned(), |booking| booking.uid.to_string());
        self.log.push(format!(
            "{} moves {uid} to {to}",
            if by_host { "host" } else { "booker" }
        ));
        self.uids.extend(moved.ok().map(|booking| booking.uid));
    }

    async fn deliver_some(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let index = self.dice.roll(self.under_way.len());
        let again = self.dice.roll(4) == 0;
        let webhook = if again {
            self.under_way[index].clone()
        } else {
            self.under_way.swap_remove(index)
        };
        self.log.push(format!(
            "deliver {} of {}{}",
            webhook.trigger.as_str(),
            webhook.uid,
            if again { " (and again later)" } else { "" }
        ));
        self.it.deliver(&webhook).await;
        if self.dice.roll(2) == 0 {
            self.it.settle().await;
        }
    }

    /// Everything arrives in the end, and time passes.
    async fn finish(&mut self) {
        loop {
            self.under_way.extend(self.it.cal.take_outbox());
            while !self.under_way.is_empty() {
                self.deliver_some().await;
            }
            self.it.settle().await;
            self.it.pass_ms(20_000).await;
            self.under_way.extend(self.it.cal.take_outbox());
            if self.under_way.is_empty() {
                return;
            }
        }
    }

    async fn check(&self) -> Result<(), String> {
        let mut standing = 0;
        for uid in &self.uids {
            let row = self.it.cal.booking(uid).unwrap();
            let seen = self.it.booking(uid).await;
            let thought = seen["status"].as_str().unwrap().to_owned();
            let agrees = match row.status.as_str() {
                "cancelled" if row.rescheduled => thought == "superseded",
                "rejected" | "cancelled" => {
                    ["rejected", "cancelled", "superseded"].contains(&&*thought)
                }
                same => thought == same,
            };
            if !agrees {
                return Err(format!(
                    "{uid} is {} at the provider, and we think {thought}",
                    row.status.as_str()
                ));
            }
            if row.status.as_str() == "pending" {
                return Err(format!("{uid} was never answered: {seen}"));
            }
            standing += i64::from(row.status.as_str() == "accepted");
            for command in seen["calls"].as_array().unwrap() {
                if command["state"] == "open" || command["state"] == "dead" {
                    return Err(format!("left over: {command}"));
                }
            }
        }
        let (posted, held, _) = self.it.balance().await;
        let expected = (1_000 - 2 * standing).to_string();
        if (posted.as_str(), held.as_str()) != (expected.as_str(), "0") {
            return Err(format!(
                "posted {posted} held {held}, expected {expected} for {standing} bookings"
            ));
        }
        let violations = self.it.gate().desk().verify_ledger().await.unwrap();
        if !violations.is_empty() {
            return Err(format!("{violations:?}"));
        }
        Ok(())
    }
}

async fn tell(seed: u64) -> Result<(), String> {
    let mut it = Installation::start(Setup::default()).await;
    it.top_up("1000").await;
    it.hold_webhooks();
    let mut history = History {
        it: &it,
        dice: Dice(seed),
        uids: Vec::new(),
        under_way: Vec::new(),
        log: Vec::new(),
        hour: 0,
    };
    for _ in 0..ACTS {
        history.act().await;
    }
    history.finish().await;
    let checked = history.check().await;
    let log = history.log.join("\n  ");
    it.stop().await;
    checked.map_err(|what| format!("seed {seed}: {what}\n  {log}"))
}

#[tokio::test]
async fn random_histories_end_as_the_provider_has_them() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("BOOKGATE_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BOOKGATE_TEST_HISTORIES").unwrap_or(HISTORIES),
    };
    let mut failures = Vec::new();
    for seed in seeds {
        if let Err(failure) = tell(seed).await {
            failures.push(failure);
        }
    }
    assert!(
        failures.is_empty(),
        "{} histories went wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
