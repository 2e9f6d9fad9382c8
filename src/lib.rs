//! bookgate, the doorman of a calendar. A scheduling provider sends a signed webhook about a booking;
//! bookgate stores it, decides by the admin's policies and the booker's credits whether the booking may
//! stand, and tells the provider: confirm, or refuse with a reason.
//!
//! # The map
//!
//! | room | what it is for | may use |
//! |---|---|---|
//! | [`domain`] | the vocabulary, the [`timeline`](domain::timeline) that folds facts in any order, the [`plan`](domain::plan) of what is left to do. Pure | nothing |
//! | [`policy`] | decides: `evaluate(&Facts) -> Evaluation`, synchronous and pure; one file for each kind of criterion | domain |
//! | [`ledger`] | which entries an operation posts. Pure | domain |
//! | [`journal`] | the append-only files in front of the inbox | domain |
//! | [`storage`] | remembers: the only room with SQL. One behaviour on two databases: SQLite for one daemon, PostgreSQL for any number | domain, ledger |
//! | [`provider`] | talks to the outside: trait, signature schemes, one HTTP client, a folder for each provider ([`calcom`](provider::calcom), [`calendly`](provider::calendly)), and [who asks](provider::callout) others on behalf of policies | domain |
//! | [`notify`] | tells those outside who asked for it: one attempt to hand over a signed notice | domain, provider |
//! | [`gate`] | joins them: receive, drain, decide, deliver, and the questions admins ask | all above |
//! | [`http`] | the doors, thin; [what can be asked](http::openapi) at the admin's, and in `http/page` the page for people | gate, domain |
//! | [`standin`] | stateful stand-ins of the providers, a folder for each, for `demo` and the tests | domain |
//! | [`settings`], [`telemetry`] | defaults, file, environment; logs and traces | domain |
//! | [`app`], [`cli`] | composition root; one file for each command | all |
//!
//! `tests/it/architecture/` fails when a room reaches over, and when a provider is called by its name
//! outside its folder, the registry, the stand-in, the settings and the command line: what a provider can
//! do and leaves out is said by its [`Capabilities`](domain::timeline::Capabilities).
//!
//! # The promises
//!
//! 1. **Stored, then answered.** A 2xx means the delivery is on stable storage.
//! 2. **Checked before believed.** Signatures over the raw bytes, in constant time, before parsing.
//! 3. **Once.** A repeat is stored once; a revision is decided once; at most one call is in flight and
//!    at most one effect in force.
//! 4. **Any order.** The same facts lead to the same end, however they arrive.
//! 5. **Credits add up.** Double entry, holds counted when made; `ledger verify` proves it.
//! 6. **No guess.** No transaction is open during a call; no answer means *unknown*: read, then act.
//! 7. **Never silent.** Retried, then dead-lettered and listed; undecidable means deferred to a person.
//! 8. **A bad file changes nothing.** A policy that does not load or fails its own tests is not used.
//! 9. **No secrets, no persons in logs.**
//!
//! # One webhook, end to end
//!
//! 1. `http::webhook`, on threads that do nothing else ([`http::OwnThreads`]), hands the raw bytes to
//!    [`gate::Gate::receive`]: the source is looked up, the [signature](provider::signature) checked, the
//!    delivery appended to the [`journal`] and flushed, and only then answered. The drain (`gate::drain`)
//!    takes what is in the journal into the inbox, in batches. Where the store acknowledges, `gate::inbox`
//!    puts many deliveries into it with one commit, and the journal takes over while it is down. Copies are
//!    dropped by their digest. While arrivals pile up, the drain and what follows give way to them
//!    (`gate::give_way`).
//! 2. `gate::filing` takes what is in the inbox: the provider parses it, each event is filed as a *fact*
//!    of its *chain* (all the ids that moves have given one booking), and the chain is due. The same commit
//!    leases what is due then and takes first steps (`gate::crew`), and where the drain brings a few
//!    deliveries, it stores them, too: a webhook in no crowd is decided with the second flush of the disk.
//! 3. The crew (`gate::crew`) leases chains that are due, each with a fencing number, and a worker
//!    (`gate::worker`) takes steps on each. A step (`gate::advance`) is one transaction: write down what was
//!    learned outside, load the chain, fold the [timeline](domain::timeline), make the
//!    [plan](domain::plan), and carry out all bookkeeping it asks for: decide (`gate::decide`, which holds
//!    the credit in the same transaction), capture, release, refund, write commands, and write down the next
//!    attempt before it is made. The steps of many chains share a commit, and on PostgreSQL also their
//!    statements ([`storage::Storage::write_together`]).
//! 4. The attempt (`gate::deliver`) runs with no transaction open: read the booking; make sure that
//!    nothing new has come in; act only if the booking still asks for it. What came of it is the next
//!    step's input.
//! 5. When nothing is left to do, the lease is given back in the same transaction that wrote the last
//!    bookkeeping.
//!
//! What a policy counts (quotas, capacity, uses of a code) is read in the transaction that decides, under a
//! lock for what is counted (`gate::others`): from the bookings' own lines, so that a place is free again
//! when its booking goes. Policies in shadow are asked there, too, and change nothing (`gate::shadows`). The
//! whole set is kept before it decides (`gate::archive`), so that any decision can be made again.
//!
//! What a policy has another server asked (`kind = "http"`) is asked with no transaction open
//! (`gate::callouts`): the step writes nothing of that decision, the worker asks under its lease and takes the
//! step again with the answers, which are stored with the decision like all that it looked at.
//!
//! What is deferred waits for a person (`gate::person`). A person's word is one more round of decision: it
//! is written under the chain's lock together with its hold, and makes the chain due; a worker finds a
//! decision without a call, and goes on at 3.
//!
//! What could not be told is a dead letter (`gate::dead_letters`): a person has it tried again, or lays it
//! aside. What came in can be read again (`gate::deliveries`), and takes the place of what it told before.
//! Every change that a person makes is noted in the transaction that makes it (`gate::audit`).
//!
//! A provider that is failing is left alone until it answers again ([`provider::circuit`]); attempts that an
//! outage takes do not count, and `gate::outages` tells of it.
//!
//! Who asked for it is told what happens (`gate::notices`): the notice is written in the transaction that
//! makes it happen, and handed over later by a loop for each receiver ([`notify`]), until it is taken.
//!
//! A provider may tell of a move in two halves, under the old id and under the new one, in any order and
//! with any time in between. Both are facts of one chain. What one half leaves out, and what never came,
//! is read before anything is decided, so that nothing is paid twice or paid back for a move.
//!
//! Beside all this, `gate::jobs` runs what is on a schedule, each job by one instance at a time:
//!
//! - `gate::reconcile` goes through what the provider has ([`provider::survey`]), page by page, or reads
//!   again what is known where there is nothing to go through. What differs is asked of the timeline
//!   ([`domain::timeline::compare`]), and is filed as if its webhook had come;
//! - `gate::subscriptions` makes and mends the webhook subscription at a provider whose API manages them
//!   ([`provider::subscriptions`]), or watches it;
//! - `gate::retention` removes what is old; of a chain that is long over it leaves how each booking
//!   stood ([`domain::chain::Closed`]), and nothing that comes in later is held against those.
//!
//! A crash between any two of these leaves facts, decisions, commands and attempts on disk, and the plan
//! made from them is the same as before. `gate::simulation` tells thousands of histories in which that,
//! and everything else, goes wrong.
//!
//! Who wants to see the way of a webhook is told of it in spans (`gate::spans`, [`provider::traced`],
//! [`telemetry::otlp`]). They find each other across the store by the webhook's digest.
//!
//! # Policies that change
//!
//! The policies in force are one set ([`policy::PolicySet`]) that a reload swaps whole or not at all
//! (`gate::policies`); a decision keeps the set that it began with. `app::policies` reads the folder, notices
//! that it has changed, and keeps the last good set for a start while it is broken. What web servers keep for
//! policies is mirrored: a list is a copy on disk, which is read like any other file and goes on while its server
//! is down.
//!
//! # Several daemons on one store
//!
//! Beside this runs a heartbeat (`gate::heartbeat`): it lists the instance as alive, sets the daemon's
//! [steady clock](domain::clock::SteadyClock) by the one that all instances share, and tells each
//! source's provider how many it shares the rate limit with. What a dead instance held is leased by
//! another once its lease has run out; the fence keeps the dead one from writing, should it rise again.
//!
//! # Without its store
//!
//! Who uses the store tells its `storage::health` how that went; while it is down, webhooks go straight
//! to the journal, and the drain, which tries again and again, is who finds out that it is back. A server
//! that is down at the start is opened later (`storage::opening`): until it was found fit for use, no
//! read and no write reaches it.

pub mod app;
pub mod cli;
pub mod domain;
pub mod gate;
pub mod http;
pub mod journal;
pub mod ledger;
pub mod notify;
pub mod policy;
pub mod provider;
pub mod settings;
pub mod standin;
pub mod storage;
pub mod telemetry;
