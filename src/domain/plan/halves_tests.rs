//! A booking that is moved three times and then called off, told in halves: eight facts. Whatever order
//! they come in, however often, and whatever is read meanwhile, it is one booking that is charged once,
//! and what comes back goes by the last cancel alone.

use proptest::prelude::*;

use super::*;
use crate::domain::booking::{Details, Party, Reading, Status};
use crate::domain::chain::{Fact, FactBody, HoldState};
use crate::domain::decision::Outcome;
use crate::domain::event::{BookingEvent, EventKind};
use crate::domain::ids::Uid;
use crate::domain::testing::*;
use crate::domain::timeline::{Capabilities, Standing};

const IDS: [&str; 4] = ["a", "b", "c", "d"];
/// When all of it has happened at the provider, in seconds; webhooks come in after that.
const LATER: i64 = 70_000;
const COST: i64 = 200;
/// More steps than any chain takes: one that takes more goes round in circles.
const STEPS_MAX: usize = 60;

fn told_in_halves() -> Rules {
    Rules {
        provider: Capabilities {
            refusal_of_pending: Action::Cancel,
            names_series: false,
            reads_created: false,
            reads_who_moved: true,
            reads_event_type: true,
            stands_at_once: true,
        },
        ..rules()
    }
}

/// The webhooks: each move is told of the old booking and of the new one, and the last is called off
/// 30,000 seconds before it begins, which gives half back. They name the type by its slug, or leave that
/// to the API.
fn webhooks(moved_by: &[Party; 3], typed: bool) -> Vec<BookingEvent> {
    let mut all = halves(moved_by);
    for details in all.iter_mut().filter_map(|event| event.details.as_mut()) {
        details.event_type_slug = typed.then(|| "intro".to_owned());
    }
    all
}

fn halves(moved_by: &[Party; 3]) -> Vec<BookingEvent> {
    let mut all = vec![event(EventKind::Created, "a", 1_000)];
    for (place, by) in moved_by.iter().enumerate() {
        let (old, new) = (IDS[place], IDS[place + 1]);
        let sent = 2_000 + 1_000 * i64::try_from(place).unwrap();
        let mut of_old = moved_to(old, new, sent);
        of_old.moved_by = Some(*by);
        if place > 0 {
            of_old = moved_from(of_old, IDS[place - 1]);
        }
        all.push(of_old);
        all.push(moved_from(event(EventKind::Rescheduled, new, sent), old));
    }
    let mut cancel = moved_from(event(EventKind::Cancelled, "d", LATER), "c");
    cancel.cancelled_by = Some(Party::Booker);
    all.push(cancel);
    all
}

/// What the API shows of a booking, now that all has happened.
fn shown(uid: &Uid, moved_by: &[Party; 3]) -> Reading {
    let place = IDS.iter().position(|id| *id == uid.as_str()).unwrap();
    let other = |place: usize| IDS.get(place).map(|id| Uid::new(*id));
    Reading {
        moved_to: other(place + 1),
        moved_from: place.checked_sub(1).and_then(other),
        moved_by: moved_by.get(place).copied(),
        cancelled_by: (place == 3).then_some(Party::Booker),
        ended_at: (place == 3).then(|| at(LATER)),
        created_at: Some(at(1_000 + 1_000 * i64::try_from(place).unwrap())),
        details: Some(Box::new(Details {
            event_type_slug: Some("intro".to_owned()),
            ..details()
        })),
        ..reading(uid.as_str(), Status::Cancelled)
    }
}

/// What the gate and the ledger do, as far as it matters here.
#[derive(Clone)]
struct World {
    record: ChainRecord,
    now: i64,
    moved_by: [Party; 3],
    /// Why credit came back.
    reasons: Vec<&'static str>,
}

impl World {
    fn new(moved_by: [Party; 3]) -> Self {
        Self {
            record: chain([]),
            now: LATER,
            moved_by,
            reasons: Vec::new(),
        }
    }

    fn hear(&mut self, event: &BookingEvent) {
        self.record.facts.push(Fact {
            received_at: at(self.now),
            body: FactBody::Event(Box::new(event.clone())),
        });
        self.settle();
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.settle();
    }

    fn settle(&mut self) {
        let rules = told_in_halves();
        for _ in 0..STEPS_MAX {
            let timeline = Timeline::fold(&self.record, &rules);
            let plan = Plan::make(&self.record, &timeline, &rules, at(self.now));
            assert!(plan.commands.is_empty(), "nothing is to be called off");
            if plan.writes() {
                plan.decide.into_iter().for_each(|one| self.decide(one));
                plan.credit.iter().for_each(|step| self.post(step));
            } else if let Some(unit) = plan.read {
                let reading = shown(&unit.uid, &self.moved_by);
                read(&mut self.record, self.now, reading);
            } else {
                return;
            }
        }
        panic!("it never comes to rest: {:#?}", self.record);
    }

    /// Accepts for a price of two, which the booker has just once.
    fn decide(&mut self, deciding: Deciding) {
        let unit = deciding.units.into_iter().next().unwrap();
        for hold in &mut self.record.holds {
            if deciding.carry_from.contains(&hold.id) {
                hold.state = HoldState::Carried;
                hold.refunded = hold.captured;
            }
        }
        assert_eq!(self.spent(), 0, "charged twice: {:#?}", self.record);
        let id = decided(&mut self.record, unit.clone(), Outcome::Accept);
        held(&mut self.record, unit, id, HoldState::Held);
    }

    fn post(&mut self, step: &CreditStep) {
        let (CreditStep::Capture(id)
        | CreditStep::Release(id)
        | CreditStep::Refund { hold: id, .. }
        | CreditStep::ChargeAgain { hold: id, .. }) = step;
        let mut holds = self.record.holds.iter_mut();
        let hold = holds.find(|hold| hold.id == *id).unwrap();
        match step {
            CreditStep::Capture(_) => {
                hold.state = HoldState::Captured;
                hold.captured = COST;
            }
            CreditStep::Release(_) => {
                hold.state = HoldState::Released;
                self.reasons.push("released");
            }
            CreditStep::Refund { minor, reason, .. } => {
                hold.refunded += minor;
                self.reasons.push(reason);
            }
            CreditStep::ChargeAgain { minor, .. } => hold.refunded -= minor,
        }
    }

    /// What the booker has less than before.
    fn spent(&self) -> i64 {
        let bound = self.record.holds.iter().map(|hold| match hold.state {
            HoldState::Held => hold.amount.minor,
            HoldState::Captured => hold.captured - hold.refunded,
            HoldState::Released | HoldState::Carried => 0,
        });
        bound.sum()
    }

    fn assert_end(&self, order: &[usize]) {
        let rules = told_in_halves();
        let timeline = Timeline::fold(&self.record, &rules);
        let standing = |id: &str| timeline.unit(&key(id)).map(|unit| unit.standing);
        for id in &IDS[..3] {
            assert_eq!(standing(id), Some(Standing::Superseded), "{order:?}");
        }
        let last = Standing::At(Status::Cancelled);
        assert_eq!(standing("d"), Some(last), "{order:?}");
        assert_eq!(
            self.spent(),
            COST / 2,
            "{order:?}: {:#?}",
            self.record.holds
        );
        assert_eq!(self.reasons, ["cancelled by the booker"], "{order:?}");
        let left = Plan::make(&self.record, &timeline, &rules, at(self.now + 1_000_000));
        assert!(left.is_idle(), "{order:?}: {left:#?}");
    }
}

/// Goes on from where `world` is with each of the webhooks that have not come yet.
fn go_on(world: &World, webhooks: &[BookingEvent], order: &mut Vec<usize>) -> usize {
    if order.len() == webhooks.len() {
        let mut world = world.clone();
        world.pass(60);
        world.assert_end(order);
        return 1;
    }
    let mut told = 0;
    for next in (0..webhooks.len())
        .filter(|next| !order.contains(next))
        .collect::<Vec<_>>()
    {
        let mut world = world.clone();
        world.hear(&webhooks[next]);
        order.push(next);
        told += go_on(&world, webhooks, order);
        order.pop();
    }
    told
}

#[test]
fn every_order_of_all_halves_comes_to_the_same_end() {
    let booker = [Party::Booker; 3];
    let all = webhooks(&booker, true);
    assert_eq!(go_on(&World::new(booker), &all, &mut Vec::new()), 40_320);
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![Just(Party::Booker), Just(Party::Host)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Any order, any repetition, any time in between, whoever moved it.
    #[test]
    fn time_and_repetition_change_nothing(
        moved_by in [party(), party(), party()],
        typed in any::<bool>(),
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        again in prop::collection::vec((0..8_usize, 0..8_usize), 0..6),
        waits in prop::collection::vec(prop_oneof![Just(0), Just(5), Just(60), Just(86_400)], 14),
    ) {
        let mut order = order;
        for (webhook, place) in again {
            order.insert(place, webhook);
        }
        let all = webhooks(&moved_by, typed);
        let mut world = World::new(moved_by);
        for (webhook, wait) in order.iter().zip(waits) {
            world.hear(&all[*webhook]);
            world.pass(wait);
        }
        world.pass(60);
        world.assert_end(&order);
    }
}
