//! Promise 4 for a provider that tells a move in two halves: whatever order and repetition the webhooks
//! come in, a booking that is moved three times and called off is one booking, paid once, and what comes
//! back goes by the last cancel. (Every order there is: `src/domain/plan/halves_tests.rs`.)

use bookgate::domain::clock::{Clock, Timestamp, plus_ms};
use bookgate::standin::calendly::{Actor, BookingRequest, Invitee, OutgoingWebhook, Person};

use super::plain;
use crate::harness::{Installation, answer, run_test};

const HOUR_MS: i64 = 3_600_000;
/// Chains told on each store.
const CHAINS: u64 = 36;

/// A small generator, so that a failure is told again by its number (xorshift64).
struct Lot(u64);

impl Lot {
    fn new(number: u64) -> Self {
        Self(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// One booker's story: what they are called, and their booking at each of its times.
struct Chain {
    account: String,
    invitees: Vec<Invitee>,
    webhooks: Vec<OutgoingWebhook>,
}

/// Somebody with credit for one booking makes it, moves it three times, and calls it off thirty hours
/// before it begins; sometimes the host moves it. Nobody hears of any of it yet.
async fn act(it: &Installation, number: u64, lot: &mut Lot) -> Chain {
    let (calendly, now) = (it.calendly(), it.clock.now());
    let at = |hours: i64| -> Timestamp { plus_ms(now, hours * HOUR_MS) };
    let account = format!("booker-{number}@reader.example");
    top_up(it, &account).await;
    let person = Person::new(format!("Booker {number}"), &account);
    let request = BookingRequest::new("intro", at(72), person);
    let mut invitees = vec![calendly.book(request).await.unwrap()];
    for hours in [96, 120, 100] {
        let by = [Actor::Invitee, Actor::Invitee, Actor::Host][lot.below(3)];
        let last = &invitees.last().unwrap().uuid;
        invitees.push(calendly.reschedule(last, at(hours), by).await.unwrap());
    }
    it.clock.advance_ms(70 * HOUR_MS);
    let last = &invitees.last().unwrap().uuid;
    calendly.cancel(last, Actor::Invitee, None).await.unwrap();
    let webhooks = calendly.take_outbox();
    assert_eq!(webhooks.len(), 8);
    Chain {
        account,
        invitees,
        webhooks,
    }
}

async fn top_up(it: &Installation, account: &str) {
    let path = format!("/v1/accounts/{account}/top-ups");
    let request = it.raw_admin(reqwest::Method::POST, &path);
    let (status, body) = answer(
        request
            .bearer_auth(crate::harness::ADMIN_TOKEN)
            .header("idempotency-key", account)
            .json(&serde_json::json!({"amount": "2", "unit": "CREDIT", "reason": "test"})),
    )
    .await;
    assert_eq!(status, 201, "{body}");
}

/// All eight in an order drawn by lot, some of them again, with pauses.
async fn deliver(it: &Installation, chain: &Chain, lot: &mut Lot) -> Vec<usize> {
    let mut order: Vec<usize> = (0..8).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, lot.below(last + 1));
    }
    for _ in 0..lot.below(5) {
        let (place, again) = (lot.below(order.len() + 1), lot.below(8));
        order.insert(place, again);
    }
    for &webhook in &order {
        it.deliver_of_calendly(&chain.webhooks[webhook]).await;
        match lot.below(4) {
            0 => {}
            1 => it.pass_ms(11_000).await,
            _ => it.settle().await,
        }
    }
    it.pass_ms(11_000).await;
    order
}

async fn assert_end(it: &Installation, chain: &Chain, told: &str) {
    let mut standing = Vec::new();
    for invitee in &chain.invitees {
        let seen = it.calendly_booking(invitee).await;
        standing.push(seen["status"].as_str().unwrap().to_owned());
        assert_eq!(seen["settled"], true, "{told}: {seen}");
    }
    let superseded = "superseded";
    assert_eq!(
        standing,
        [superseded, superseded, superseded, "cancelled"],
        "{told}"
    );
    let account = it.get(&format!("/v1/accounts/{}", chain.account)).await.1;
    let line = &account["balances"][0];
    assert_eq!(
        (&line["posted"], &line["held"]),
        (&"1".into(), &"0".into()),
        "{told}: half of two came back"
    );
    let path = format!("/v1/accounts/{}/entries", chain.account);
    let page = it.get(&path).await.1;
    let entries = page["items"].as_array().unwrap();
    let refunds = entries.iter().filter(|entry| entry["kind"] == "refund");
    let refunds: Vec<_> = refunds.map(|entry| entry["reason"].clone()).collect();
    assert_eq!(refunds, ["cancelled by the booker"], "{told}");
}

#[tokio::test]
async fn a_booking_moved_three_times_and_called_off() {
    run_test(plain(), async |it: &mut Installation| {
        it.hold_calendly();
        for number in 0..CHAINS {
            let mut lot = Lot::new(number + 1);
            let chain = act(it, number, &mut lot).await;
            let order = deliver(it, &chain, &mut lot).await;
            let told = format!("chain {number}, in the order {order:?}");
            assert_end(it, &chain, &told).await;
        }
        assert_eq!(it.calendly_effects(), [], "nothing was called off by us");
    })
    .await;
}
