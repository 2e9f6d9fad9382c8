//! Who goes next. Several workers, as of several daemons on one store, run the gate's own code; each
//! stands before every transaction and every call until it is let through, and only one moves at a
//! time. A worker that dies is dropped where it stands.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::at_work::InHand;
use super::check;
use super::history::{Action, Word};
use super::stage::{SOURCE, Stage, gate, noon, units};
use super::world::World;
use crate::domain::clock::{Clock, ManualClock, Timestamp, ms_between, plus_ms};
use crate::domain::decision::Outcome;
use crate::domain::ids::{SourceName, Uid};
use crate::gate::reconcile::Asked;
use crate::gate::{
    Actor, BookingsAsked, DeliveriesAsked, Desk, GateError, Inner, LettersAsked, LettersFate,
    LettersOrder, PersonDecides, PersonsAnswer, ReplayOrder,
};
use crate::gate::{filing, inbox, person};
use crate::journal::Record;
use crate::storage::simulated::Step;
use crate::storage::{Storage, StorageError};

/// Daemons on the store.
const WORKERS: usize = 3;
/// How long a webhook may be on its way, in ms: the gate trusts that none is under way for longer than
/// `settle_ms`. Copies of it may.
const DELAY_MS_MAX: i64 = 8_000;
/// Turns after which a history must have come to its end.
const TURNS_MAX: usize = 5_000;
/// One daemon.
pub(super) struct Worker {
    pub(super) gate: Arc<Inner>,
    in_hand: Option<InHand>,
}

/// A history under way.
pub(super) struct Simulation {
    pub(super) world: Arc<World>,
    pub(super) storage: Storage,
    pub(super) desk: Desk,
    pub(super) clock: Arc<ManualClock>,
    pub(super) workers: Vec<Worker>,
    /// A worker looked for something to do and found nothing, and nothing happened since.
    pub(super) quiet: bool,
    /// Turns taken so far.
    turn: u64,
    /// Webhooks are stored that were not filed yet, and news of which bookings is among them.
    unfiled: bool,
    stored: Vec<Uid>,
    /// What the provider has listed and was not compared yet.
    pub(super) listed: Vec<Asked>,
    /// In which turn something about which booking was filed.
    told: Vec<(u64, Uid)>,
}

/// What could happen next.
#[derive(Clone, Copy)]
enum Turn {
    /// This worker goes on, or looks for something to do.
    Worker(usize),
    /// This late call arrives.
    Late(usize),
    /// The row of this cancelled booking changes.
    Row(usize),
    /// What was stored is filed.
    File,
    /// This idle worker files what was stored, and begins to work on what is due then, with one commit.
    Begin(usize),
    /// The next one of the provider's list is compared, and followed if it differs.
    Compare,
}

impl Simulation {
    pub(super) async fn begin(stage: &Stage) -> Self {
        let clock = Arc::new(ManualClock::new(noon()));
        let as_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let image = Some(stage.image.as_slice());
        let storage = Storage::in_memory(&units(), image).await.unwrap();
        let parser = Arc::clone(&stage.parser);
        let world = Arc::new(World::new(Arc::clone(&clock), parser));
        let desk = Desk::new(storage.clone(), units(), Arc::clone(&as_clock));
        let workers = (0..WORKERS).map(|number| Worker {
            gate: Arc::new(gate(stage, number, &desk, &world, &as_clock)),
            in_hand: None,
        });
        Self {
            workers: workers.collect(),
            world,
            storage,
            desk,
            clock,
            quiet: true,
            turn: 0,
            unfiled: false,
            stored: Vec::new(),
            listed: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Lets one action of the history happen.
    pub(super) async fn act(&mut self, action: Action) {
        match action {
            Action::Go(choice) => {
                let turns = self.turns();
                if !turns.is_empty() {
                    self.take(turns[usize::from(choice) % turns.len()]).await;
                }
            }
            Action::Deliver { webhook, again } => {
                let count = self.world.state().webhooks.len();
                if count > 0 {
                    self.deliver(usize::from(webhook) % count, again).await;
                }
            }
            Action::Lose { webhook } => {
                let count = self.world.state().webhooks.len();
                if count > 0 {
                    self.world.lose(usize::from(webhook) % count);
                }
            }
            Action::Survey => self.survey(),
            Action::Pass { seconds } => self.pass_ms(i64::from(seconds) * 1_000).await,
            Action::Crash { worker } => {
                let number = usize::from(worker) % WORKERS;
                if self.workers[number].in_hand.take().is_some() {
                    self.world.tell(format!("w{number} dies"));
                }
            }
            Action::Decide { booking, word } => {
                if let Some(row) = self.world.some_booking(booking) {
                    self.decide(&row.uid, word).await;
                }
            }
            Action::Replay => self.replay().await,
            Action::Trouble(trouble) => self.world.state().troubles.push_back(trouble),
            people => self.world.people(people).await,
        }
    }

    /// Faults end, everything arrives, everybody works, and time passes until nothing is left to do.
    pub(super) async fn finish(&mut self) -> Result<(), String> {
        self.world.tell("— no more faults from here on");
        self.world.state().troubles.clear();
        for _ in 0..TURNS_MAX {
            if !self.world.state().webhooks.is_empty() {
                self.deliver(0, false).await;
            } else if let Some(turn) = self.turns().first() {
                self.take(*turn).await;
            } else if let Some(at) = self.next_due().await {
                self.pass_ms(ms_between(self.clock.now(), at).max(1)).await;
            } else if !self.retry_dead_letters().await
                && !self.differs().await
                && !self.decide_the_rest().await
            {
                return Ok(());
            }
        }
        Err("it does not come to an end".to_owned())
    }

    fn turns(&self) -> Vec<Turn> {
        let could = |number: &usize| self.workers[*number].in_hand.is_some() || !self.quiet;
        let workers = (0..WORKERS).filter(could).map(Turn::Worker);
        let state = self.world.state();
        let late = (0..state.late.len()).map(Turn::Late);
        let rows = (0..state.cancels.len()).map(Turn::Row);
        let file = self.unfiled.then_some(Turn::File);
        let idle = |number: &usize| self.unfiled && self.workers[*number].in_hand.is_none();
        let begin = (0..WORKERS).filter(idle).map(Turn::Begin);
        let compare = (!self.listed.is_empty()).then_some(Turn::Compare);
        let others = late.chain(rows).chain(file).chain(begin).chain(compare);
        workers.chain(others).collect()
    }

    async fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Late(index) => self.world.arrive(index).await,
            Turn::Row(index) => self.world.end_cancel(index),
            Turn::File => self.file().await,
            Turn::Begin(number) => self.begin_work(number).await,
            Turn::Compare => {
                self.compare().await;
            }
            Turn::Worker(number) => self.step(number).await,
        }
    }

    /// Lets a worker take its next step, up to the one after.
    async fn step(&mut self, number: usize) {
        self.world.state().actor = format!("w{number}");
        let worker = &mut self.workers[number];
        let begins = worker.in_hand.is_none();
        if begins {
            worker.in_hand = Some(InHand::due(&worker.gate));
            self.go_on(number).await;
        }
        let step = self.waits_for(number);
        if step == Some(Step::Call) {
            self.watch_call(number).await;
        }
        // Before it calls, a worker waits until what is stored is filed: it has its turn without that.
        if step == Some(Step::Read) && self.unfiled {
            self.file().await;
        }
        self.turn += 1;
        let turn = self.turn;
        if let Some(in_hand) = &mut self.workers[number].in_hand {
            match step {
                Some(Step::Write) => in_hand.wrote_at = turn,
                Some(Step::Read) => in_hand.read_at = turn,
                _ => {}
            }
            in_hand.turnstile.open();
        }
        self.go_on(number).await;
        // A claim that finds nothing ends at once.
        self.quiet = begins && self.workers[number].in_hand.is_none();
        let what = match step {
            Some(Step::Write) if !begins => "writes",
            Some(Step::Write) if !self.quiet => "takes up a chain",
            Some(Step::Read) => "reads",
            // The world tells of the others.
            _ => return,
        };
        self.world.tell(format!("w{number} {what}"));
    }

    fn waits_for(&self, number: usize) -> Option<Step> {
        let in_hand = self.workers[number].in_hand.as_ref();
        in_hand.and_then(|in_hand| in_hand.turnstile.waits_for())
    }

    /// What must hold whenever a worker calls: the call is written down as its own and nobody has
    /// judged it, and nothing was known when it last looked that it did not know when it wrote that down.
    async fn watch_call(&self, number: usize) {
        let name = format!("w{number}");
        let uid = self.world.state().calling.get(&name).cloned();
        let (Some(in_hand), Some(uid)) = (&self.workers[number].in_hand, uid) else {
            return;
        };
        let meanwhile = in_hand.wrote_at..in_hand.read_at;
        let told = |(at, about): &(u64, Uid)| meanwhile.contains(at) && *about == uid;
        if self.told.iter().any(told) {
            let booking = self.world.name(&uid);
            let wrong =
                format!("{name} calls about {booking}, of which it did not hear the latest");
            self.world.wrong(wrong);
        }
        let open = check::open_attempts(&self.storage, &uid).await;
        if open != [name.as_str()] {
            let wrong = format!("{name} makes a call, and the attempts under way are of {open:?}");
            self.world.wrong(wrong);
        }
    }

    /// Runs a worker until it stands before its next step, or is done.
    async fn go_on(&mut self, number: usize) {
        let Some(in_hand) = &mut self.workers[number].in_hand else {
            return;
        };
        let goes_on = poll_fn(|cx| match in_hand.work.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(false),
            Poll::Pending if in_hand.turnstile.waits_for().is_some() => Poll::Ready(true),
            // The store is at it.
            Poll::Pending => Poll::Pending,
        });
        if !goes_on.await {
            self.workers[number].in_hand = None;
        }
    }

    async fn deliver(&mut self, index: usize, again: bool) {
        let (sent_at, webhook) = {
            let mut state = self.world.state();
            let webhook = state.webhooks.remove(index);
            if again {
                // The copy is in no hurry.
                let copy = (Timestamp::MAX, webhook.1.clone());
                state.webhooks.push(copy);
            }
            webhook
        };
        let copy = if sent_at == Timestamp::MAX {
            " again"
        } else {
            self.stored.push(webhook.uid.clone());
            ""
        };
        let name = self.world.name(&webhook.uid);
        let trigger = webhook.trigger.as_str();
        self.world
            .tell(format!("{trigger} of {name} arrives{copy}"));
        let now = self.clock.now();
        let record = Record {
            source: SourceName::new(SOURCE),
            received_at: now,
            content_type: None,
            body: webhook.body,
        };
        let gate = &self.workers[0].gate;
        let deliveries = inbox::deliveries(vec![record]);
        inbox::store(gate, &deliveries).await.unwrap();
        self.unfiled = true;
    }

    /// Some instance files what is stored.
    async fn file(&mut self) {
        while filing::file_some(&self.workers[0].gate).await.unwrap() > 0 {}
        self.is_filed();
        self.world.tell("what arrived is filed");
    }

    /// A worker files it, and takes the first step of a chain that is due then.
    async fn begin_work(&mut self, number: usize) {
        self.world.state().actor = format!("w{number}");
        let worker = &mut self.workers[number];
        worker.in_hand = Some(InHand::filing(&worker.gate));
        self.go_on(number).await;
        self.is_filed();
        self.turn += 1;
        let turn = self.turn;
        if let Some(in_hand) = &mut self.workers[number].in_hand {
            in_hand.wrote_at = turn;
            in_hand.turnstile.open();
        }
        self.go_on(number).await;
        self.world
            .tell(format!("w{number} files what arrived, and begins"));
    }

    fn is_filed(&mut self) {
        self.unfiled = false;
        self.turn += 1;
        let filed = std::mem::take(&mut self.stored);
        self.told
            .extend(filed.into_iter().map(|uid| (self.turn, uid)));
        self.quiet = false;
    }

    /// Time passes, as far as what is on its way lets it: webhooks are only so late, calls end at their
    /// time, and nobody is held up for long between his last look and his call.
    async fn pass_ms(&mut self, ms: i64) {
        let to = plus_ms(self.clock.now(), ms);
        for number in 0..WORKERS {
            if self.waits_for(number) == Some(Step::Call) {
                self.step(number).await;
            }
        }
        let overdue = |(sent_at, _): &(Timestamp, _)| plus_ms(*sent_at, DELAY_MS_MAX) <= to;
        loop {
            let index = self.world.state().webhooks.iter().position(overdue);
            let Some(index) = index else { break };
            self.deliver(index, false).await;
        }
        loop {
            let overdue = |late: &super::world::Late| late.until <= to;
            let index = self.world.state().late.iter().position(overdue);
            let Some(index) = index else { break };
            self.world.arrive(index).await;
        }
        loop {
            let overdue = |(until, _): &(Timestamp, _)| *until <= to;
            let index = self.world.state().cancels.iter().position(overdue);
            let Some(index) = index else { break };
            self.world.end_cancel(index);
        }
        self.world.tell(format!("{} s pass", ms / 1_000));
        self.clock.advance_ms(ms);
        self.quiet = false;
    }

    async fn next_due(&self) -> Option<Timestamp> {
        let due: Result<_, StorageError> = self
            .storage
            .read(|tx| Box::pin(async move { tx.next_due().await }))
            .await;
        due.unwrap()
    }

    /// A person has all that is stored read again.
    async fn replay(&mut self) {
        let order = ReplayOrder {
            asked: DeliveriesAsked::default(),
            after: None,
            limit: None,
            dry_run: false,
            actor: Actor::new("token:ops"),
        };
        self.desk.replay(order).await.unwrap();
        self.world.tell("what is stored is to be read again");
        self.unfiled = true;
    }

    /// A person has everything tried again that was given up; false if there was nothing.
    async fn retry_dead_letters(&mut self) -> bool {
        let asked = LettersAsked::default();
        let dead = self
            .desk
            .dead_letters(asked, None, None)
            .await
            .unwrap()
            .items;
        for letter in &dead {
            self.world.tell(format!(
                "a person has {} of {} tried again",
                letter.action.as_str(),
                letter.booking
            ));
        }
        let order = LettersOrder {
            asked: LettersAsked::default(),
            fate: LettersFate::Retry { force: false },
            dry_run: false,
            actor: Actor::new("token:ops"),
        };
        let report = self.desk.order_letters(order).await.unwrap();
        assert_eq!(report.done.len(), dead.len());
        self.quiet &= dead.is_empty();
        !dead.is_empty()
    }

    /// A person decides a booking, if it is left to one.
    async fn decide(&mut self, uid: &Uid, word: Word) -> bool {
        let order = PersonDecides {
            source: SOURCE.to_owned(),
            reference: uid.to_string(),
            seat: None,
            answer: match word {
                Word::Yes | Word::YesForNothing => PersonsAnswer::Accept {
                    waive_credits: word == Word::YesForNothing,
                },
                Word::No => PersonsAnswer::Refuse {
                    reason: "Not then.".to_owned(),
                },
            },
            actor: Actor::new("token:ops"),
        };
        let name = self.world.name(uid);
        let said = person::decide_booking(&self.workers[0].gate, order).await;
        let (decided, end) = match said {
            Ok(_) => (true, "so it is".to_owned()),
            Err(why @ (GateError::Conflict(_) | GateError::NotFound(_))) => {
                (false, why.to_string())
            }
            Err(why @ GateError::ShortOfCredit(_)) => (false, why.to_string()),
            Err(error) => panic!("{error}"),
        };
        self.world
            .tell(format!("a person says {word:?} to {name}: {end}"));
        self.quiet &= !decided;
        decided
    }

    /// A person decides everything that waits for one; false if there was nothing.
    async fn decide_the_rest(&mut self) -> bool {
        let asked = BookingsAsked {
            outcome: Some(Outcome::Defer),
            ..BookingsAsked::default()
        };
        let left = self.desk.bookings(asked).await.unwrap().items;
        let mut some = false;
        for line in left {
            some |= self.decide(&Uid::new(line.uid), Word::YesForNothing).await;
        }
        some
    }
}
