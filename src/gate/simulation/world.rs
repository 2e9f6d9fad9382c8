//! The provider of the simulation: the stand-in with all its weaknesses, called without HTTP, one step
//! at a time; and the network in between, in which calls and webhooks are late, lost or doubled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::history::{Action as Event, Kind, Trouble, Who};
use crate::domain::booking::{Booker, Details, Party, Reading, Status};
use crate::domain::clock::{Clock, ManualClock, Timestamp, plus_ms};
use crate::domain::decision::Action;
use crate::domain::ids::Uid;
use crate::domain::owner::Owner;
use crate::domain::timeline::Capabilities;
use crate::provider::{Answer, Call, CallError, Parsed, Provider, RawDelivery, Target};
use crate::standin::calcom::{
    Booking, BookingRequest, CancelBegun, Options, OutgoingWebhook, Person, Refusal, StandIn,
};
use crate::storage::simulated::{Step, outside_of_transactions, pass};

/// How long a call may take, in ms.
pub(super) const CALL_TIMEOUT_MS: i64 = 10_000;
/// How long after its webhook the row of a cancelled booking may stay as it was, in ms.
const LAG_MS: i64 = 5_000;
/// How long after its time a call may still be carried out, in ms.
pub(super) const GRACE_MS: i64 = 5_000;
const HOST: &str = "hanna@host.example";
const HOUR_MS: i64 = 3_600_000;

/// The provider, and what is on its way to and from it.
pub(super) struct World {
    pub(super) cal: StandIn,
    /// Understands the webhooks' bodies as in earnest.
    parser: Arc<dyn Provider>,
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// What will go wrong with the next calls.
    pub(super) troubles: VecDeque<Trouble>,
    /// Webhooks on their way, with the time they left.
    pub(super) webhooks: Vec<(Timestamp, OutgoingWebhook)>,
    /// Calls on their way that nobody waits for any more.
    pub(super) late: Vec<Late>,
    /// Cancels of which the webhook has left and the row has not changed, and until when that may be so.
    pub(super) cancels: Vec<(Timestamp, CancelBegun)>,
    /// Calls that the provider said it has carried out.
    certain: Vec<(Uid, Action)>,
    /// Who is taking a step.
    pub(super) actor: String,
    /// About which booking each worker is about to call.
    pub(super) calling: BTreeMap<String, Uid>,
    /// What happened so far.
    pub(super) story: Vec<String>,
    /// The first thing that must never happen and did.
    pub(super) wrong: Option<String>,
}

/// A call on its way.
pub(super) struct Late {
    call: Call,
    /// When it will have arrived, or never.
    pub(super) until: Timestamp,
}

impl World {
    pub(super) fn new(clock: Arc<ManualClock>, parser: Arc<dyn Provider>) -> Self {
        let as_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        Self {
            cal: StandIn::unserved(
                as_clock,
                Options {
                    host: Person::new("Hanna", HOST),
                    ..Options::default()
                },
            ),
            parser,
            clock,
            state: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, what: impl Into<String>) {
        self.state().story.push(what.into());
    }

    /// Notes that something happened that must not.
    pub(super) fn wrong(&self, what: String) {
        self.state().wrong.get_or_insert(what);
    }

    /// A booking's name in stories: `b0`, `b1`, … in the order in which they were made.
    pub(super) fn name(&self, uid: &Uid) -> String {
        let bookings = self.cal.bookings();
        let index = bookings.iter().position(|booking| booking.uid == *uid);
        index.map_or_else(|| uid.to_string(), |index| format!("b{index}"))
    }

    /// What people do. Impossible wishes are refused by the provider, as in earnest.
    pub(super) async fn people(&self, event: Event) {
        let start = plus_ms(
            self.clock.now(),
            (200 + 2 * self.cal.bookings().len() as i64) * HOUR_MS,
        );
        let done = match event {
            Event::Book { kind, who } => self.book(kind, who, start).await,
            Event::Move { booking, by } => {
                let Some(row) = self.some_booking(booking) else {
                    return;
                };
                let moved = match by {
                    Party::Booker => self.cal.reschedule_by_booker(&row.uid, start, None).await,
                    Party::Host => self.cal.reschedule_by_host(&row.uid, start, None).await,
                };
                let old = self.name(&row.uid);
                moved.map(|new| {
                    let new = self.name(&new.uid);
                    format!("{} moves {old}, which becomes {new}", person(by))
                })
            }
            Event::Cancel {
                booking,
                by,
                lagging,
            } => self.cancel(booking, by, lagging).await,
            Event::Confirm { booking } => {
                // Also what has ended, which comes back; but not what was moved away.
                let row = self.some_booking(booking).filter(|row| !row.rescheduled);
                let Some(row) = row else { return };
                let confirmed = self.cal.confirm_by_host(&row.uid).await;
                confirmed.map(|row| format!("the host confirms {}", self.name(&row.uid)))
            }
            Event::Decline { booking } => {
                let row = self.some_booking(booking);
                let Some(row) = row.filter(|row| row.status == Status::Pending) else {
                    return;
                };
                let declined = self.cal.decline_by_host(&row.uid, None).await;
                declined.map(|row| format!("the host declines {}", self.name(&row.uid)))
            }
            _ => return,
        };
        self.collect();
        if let Ok(done) = done {
            self.tell(done);
        }
    }

    async fn book(&self, kind: Kind, who: Who, start: Timestamp) -> Result<String, Refusal> {
        let (slug, what) = match kind {
            Kind::Asking => ("consultation", "asks for"),
            Kind::Open => ("chat", "books"),
            Kind::Unnamed => ("consultation", "asks for every week's"),
        };
        let request = BookingRequest::new(slug, start, booker(who));
        let booking = match kind {
            Kind::Unnamed => self.cal.book_recurring(request, 1).await?.swap_remove(0),
            _ => self.cal.book(request).await?,
        };
        let name = self.name(&booking.uid);
        Ok(format!("{} {what} {name}", booking.booker.name))
    }

    async fn cancel(&self, booking: u8, by: Party, lagging: bool) -> Result<String, Refusal> {
        let Some(row) = self.some_booking(booking) else {
            return Ok("nobody cancels anything".to_owned());
        };
        let told = format!("{} cancels {}", person(by), self.name(&row.uid));
        let email = match by {
            Party::Booker => &row.booker.email,
            Party::Host => HOST,
        };
        let begun = self.cal.begin_cancel(&row.uid, email).await?;
        if !lagging {
            self.cal.end_cancel(&begun);
            return Ok(told);
        }
        let until = plus_ms(self.clock.now(), LAG_MS);
        self.state().cancels.push((until, begun));
        Ok(format!("{told}: it is told, and the row not changed yet"))
    }

    /// The row of a cancelled booking changes.
    pub(super) fn end_cancel(&self, index: usize) {
        let (_, begun) = self.state().cancels.remove(index);
        self.cal.end_cancel(&begun);
        let name = self.name(&begun.booking.uid);
        self.tell(format!("the row of {name} is cancelled"));
    }

    pub(super) fn some_booking(&self, index: u8) -> Option<Booking> {
        let bookings = self.cal.bookings();
        let count = bookings.len().max(1);
        bookings.into_iter().nth(usize::from(index) % count)
    }

    /// What was sent is on its way now.
    fn collect(&self) {
        let now = self.clock.now();
        let sent = self.cal.take_outbox().into_iter();
        let mut state = self.state();
        state.webhooks.extend(sent.map(|webhook| (now, webhook)));
    }

    /// A call arrives that nobody waits for any more.
    pub(super) async fn arrive(&self, index: usize) {
        let late = self.state().late.remove(index);
        let done = self.carry_out(&late.call).await;
        let what = match done {
            Ok(_) => "and is carried out",
            Err(_) => "and is refused",
        };
        let call = self.words(&late.call);
        self.tell(format!("the call to {call} arrives late {what}"));
    }

    async fn carry_out(&self, call: &Call) -> Result<Booking, Refusal> {
        let (uid, reason) = (&call.target.uid, call.reason.as_deref());
        let done = match call.action {
            Action::Confirm => self.cal.confirm_by_host(uid).await,
            Action::Decline => self.cal.decline_by_host(uid, reason).await,
            Action::Cancel => self.cal.cancel_by_api(uid, reason.unwrap_or("-")).await,
        };
        self.collect();
        done
    }

    fn words(&self, call: &Call) -> String {
        format!("{} {}", call.action.as_str(), self.name(&call.target.uid))
    }

    /// Everything there is, as it is listed.
    pub(super) fn list(&self) -> Vec<Reading> {
        let rows = self.cal.bookings();
        rows.iter().map(|row| self.reading(row)).collect()
    }

    /// A webhook never arrives.
    pub(super) fn lose(&self, index: usize) {
        let (_, webhook) = self.state().webhooks.remove(index);
        let name = self.name(&webhook.uid);
        self.tell(format!("{} of {name} is lost", webhook.trigger.as_str()));
    }

    fn reading(&self, row: &Booking) -> Reading {
        let successor = row.rescheduled.then(|| self.cal.successor(&row.uid));
        let owner = |email: &str| Owner::parse(email).ok();
        let cancelled = row.status == Status::Cancelled;
        Reading {
            uid: row.uid.clone(),
            number: Some(row.number),
            status: row.status,
            start: row.start,
            end: row.end,
            moved_to: successor.flatten(),
            moved_from: row.from_reschedule.clone(),
            moved_by: party(row.rescheduled_by.as_deref()),
            cancelled_by: party(row.cancelled_by.as_deref()),
            ended_at: row.status.is_over().then_some(row.updated_at),
            series: None,
            created_at: Some(row.created_at),
            seats: None,
            cancellation_reason: row.cancellation_reason.clone().filter(|_| cancelled),
            details: Some(Box::new(Details {
                title: row.title.clone(),
                event_type_id: Some(row.event_type_id),
                booker: Booker {
                    email: owner(&row.booker.email),
                    name: row.booker.name.clone(),
                    ..Booker::default()
                },
                ..Details::between(row.start, row.end)
            })),
        }
    }

    /// What must hold whenever the provider is spoken to.
    fn watch(&self, call: Option<&Call>) {
        if !outside_of_transactions() {
            self.wrong("a transaction is open during a call to the provider".to_owned());
        }
        let Some(call) = call else { return };
        let (uid, words) = (&call.target.uid, self.words(call));
        let mut state = self.state();
        let wrong = if state.late.iter().any(|late| late.call.target.uid == *uid) {
            format!("{words}: an earlier call about it is still on its way")
        } else if state.certain.contains(&(uid.clone(), call.action)) {
            format!("{words}: it was done before, and the provider said so")
        } else {
            return;
        };
        state.wrong.get_or_insert(wrong);
    }

    fn next_trouble(&self) -> Option<Trouble> {
        self.state().troubles.pop_front()
    }

    fn tell_of(&self, what: &str) {
        let mut state = self.state();
        let line = format!("{} {what}", state.actor);
        state.story.push(line);
    }
}

#[async_trait]
impl Provider for World {
    fn parse(&self, delivery: RawDelivery<'_>) -> Parsed {
        self.parser.parse(delivery)
    }

    async fn check_key(&self) -> Result<(), CallError> {
        Ok(())
    }

    async fn read(&self, target: &Target) -> Result<Vec<Reading>, CallError> {
        pass(Step::Look).await;
        self.watch(None);
        let name = self.name(&target.uid);
        if let Some(trouble) = self.next_trouble() {
            let error = look_error(trouble);
            self.tell_of(&format!("looks at {name}: {error}"));
            return Err(error);
        }
        let Some(row) = self.cal.booking(&target.uid) else {
            return Err(CallError::NotFound { http_status: 404 });
        };
        let reading = self.reading(&row);
        self.tell_of(&format!("looks at {name}: {}", reading.status.as_str()));
        Ok(vec![reading])
    }

    async fn act(&self, call: &Call) -> Result<Answer, CallError> {
        {
            let mut state = self.state();
            let actor = state.actor.clone();
            state.calling.insert(actor, call.target.uid.clone());
        }
        pass(Step::Call).await;
        self.watch(Some(call));
        let words = self.words(call);
        let unknown = || CallError::Unknown {
            http_status: None,
            detail: "no answer".to_owned(),
        };
        let told = |error: CallError, what: &str| {
            self.tell_of(&format!("calls: {words}; {what}"));
            Err(error)
        };
        match self.next_trouble() {
            Some(Trouble::LostBefore) => told(unknown(), "it is lost"),
            Some(Trouble::LostAfter) => {
                let done = self.carry_out(call).await.is_ok();
                told(unknown(), &format!("done: {done}, but the answer is lost"))
            }
            Some(Trouble::Late) => {
                let call = call.clone();
                let until = plus_ms(self.clock.now(), CALL_TIMEOUT_MS + GRACE_MS);
                self.state().late.push(Late { call, until });
                told(unknown(), "no answer, and it is still on its way")
            }
            Some(Trouble::Refused) => {
                let detail = "HTTP 400".to_owned();
                let http_status = 400;
                let error = CallError::Rejected {
                    http_status,
                    detail,
                };
                told(error, "refused for no reason")
            }
            Some(trouble @ (Trouble::Limited | Trouble::Down)) => {
                let error = look_error(trouble);
                let what = error.to_string();
                told(error, &what)
            }
            None => match self.carry_out(call).await {
                Ok(row) => {
                    self.tell_of(&format!("calls: {words}; done"));
                    let certain = (row.uid.clone(), call.action);
                    self.state().certain.push(certain);
                    Ok(Answer {
                        reading: Some(self.reading(&row)),
                        http_status: 200,
                    })
                }
                Err(refusal) => {
                    let (http_status, detail) = (refusal.http_status, refusal.message.clone());
                    let error = CallError::Rejected {
                        http_status,
                        detail,
                    };
                    told(error, &format!("refused, {}", refusal.message))
                }
            },
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.parser.capabilities()
    }

    fn call_timeout_ms(&self) -> i64 {
        CALL_TIMEOUT_MS
    }

    fn next_call_at(&self) -> Option<Timestamp> {
        None
    }

    fn share_limit(&self, _: u32) {}

    fn call_interval_ms(&self) -> i64 {
        0
    }
}

/// How a trouble looks to whoever only reads: nothing can have been changed, and nobody refuses to show
/// a booking that is there.
fn look_error(trouble: Trouble) -> CallError {
    match trouble {
        Trouble::Limited => CallError::Limited { wait_ms: 2_000 },
        Trouble::Refused
        | Trouble::Down
        | Trouble::LostBefore
        | Trouble::LostAfter
        | Trouble::Late => CallError::Transient {
            http_status: None,
            detail: "no answer".to_owned(),
        },
    }
}

/// Whose address it is.
fn party(address: Option<&str>) -> Option<Party> {
    Some(match address? {
        HOST => Party::Host,
        _ => Party::Booker,
    })
}

fn person(party: Party) -> &'static str {
    match party {
        Party::Booker => "the booker",
        Party::Host => "the host",
    }
}

/// Who books.
pub(super) fn booker(who: Who) -> Person {
    match who {
        Who::Rich => Person::new("Rosa", "rosa@rich.example"),
        Who::Poor => Person::new("Paul", "paul@poor.example"),
    }
}
