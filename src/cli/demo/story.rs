//! The story: what people do, and what has to come of it. Everything is done over HTTP, and every
//! claim is checked before it is told.

use anyhow::{Context as _, ensure};

use super::halves::{self, DORA};
use super::installation::{EVENT_TYPE, Installation};
use super::told::{Account, Booking, Call, Decided, Entry, Page, Step, Verified, Webhook};
use crate::domain::ids::Uid;
use crate::standin::calcom::{self, BookingRequest, OutgoingWebhook, Person};

/// The booker's address as Cal.com sends it: bookgate makes one account of all spellings.
const ADA_AS_TYPED: &str = "Ada@Reader.example";
const ADA: &str = "ada@reader.example";
const BEN: &str = "ben@reader.example";
const CLEO: &str = "cleo@reader.example";

/// Plays all steps; each is told once it has come out as it must.
pub(super) async fn play(
    it: &Installation,
    tell: &mut dyn FnMut(Step) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut story = Story { it, calls_told: 0 };
    tell(story.credits_are_topped_up().await?)?;
    let (step, booking, webhook) = story.a_booking_is_accepted().await?;
    tell(step)?;
    tell(story.a_booking_is_refused().await?)?;
    tell(story.a_webhook_comes_twice(&webhook).await?)?;
    tell(story.a_webhook_is_forged(&webhook).await?)?;
    tell(story.a_move_comes_in_the_wrong_order().await?)?;
    tell(halves::a_move_comes_in_halves(it).await?)?;
    tell(story.a_booking_is_cancelled_late(&booking).await?)?;
    tell(story.the_books_add_up().await?)
}

struct Story<'a> {
    it: &'a Installation,
    /// The provider's count of calls that earlier steps told.
    calls_told: u64,
}

impl Story<'_> {
    async fn credits_are_topped_up(&mut self) -> anyhow::Result<Step> {
        let replayed = [
            self.it.top_up(ADA, "5", "ada-1").await?,
            self.it.top_up(ADA, "5", "ada-1").await?,
            self.it.top_up(BEN, "1.5", "ben-1").await?,
            self.it.top_up(CLEO, "2", "cleo-1").await?,
            self.it.top_up(DORA, "2", "dora-1").await?,
        ];
        ensure!(
            replayed == [false, true, false, false, false],
            "of the top-ups, {replayed:?} were taken for repeated ones"
        );
        let accounts = vec![
            self.account(ADA, "5").await?,
            self.account(BEN, "1.5").await?,
            self.account(CLEO, "2").await?,
            self.account(DORA, "2").await?,
        ];
        Ok(Step {
            title: "Credits are topped up at the admin endpoint",
            happened: vec![
                format!(
                    "POST /v1/accounts/{ADA}/top-ups: 5 CREDIT, sent twice with the same Idempotency-Key, as after a lost answer."
                ),
                "Ben gets 1.5, Cleo and Dora 2 each.".to_owned(),
            ],
            accounts,
            shows: "A repeated top-up is booked once.".to_owned(),
            ..Step::default()
        })
    }

    async fn a_booking_is_accepted(
        &mut self,
    ) -> anyhow::Result<(Step, calcom::Booking, OutgoingWebhook)> {
        let booking = self.book("Ada", ADA_AS_TYPED, 96).await?;
        let held = self.it.calcom.take_outbox();
        let first = held.first().cloned().context("Cal.com sent no webhook")?;
        let (webhooks, echoes) = self.deliver(held).await?;
        let (seen, decision) = self.decided(&booking.uid, "accept").await?;
        expect("the booking", &seen.status, "accepted")?;
        self.expect_at_calcom(&booking.uid, "accepted")?;
        let step = Step {
            title: "A booking is accepted",
            happened: vec![format!(
                "Ada books a session on {}, four days ahead. The event type asks for confirmation, so Cal.com lets it wait.",
                booking.start.strftime("%A, %-d %B, %H:%M UTC")
            )],
            webhooks,
            decision: Some(decision),
            calls: self.new_calls(),
            echoes,
            accounts: vec![self.account(ADA, "3").await?],
            shows: "Two credits were held when it was decided, and spent once Cal.com had confirmed. The second webhook is the echo of that call.".to_owned(),
            ..Step::default()
        };
        Ok((step, booking, first))
    }

    async fn a_booking_is_refused(&mut self) -> anyhow::Result<Step> {
        let booking = self.book("Ben", BEN, 98).await?;
        let held = self.it.calcom.take_outbox();
        let (webhooks, echoes) = self.deliver(held).await?;
        let (_, decision) = self.decided(&booking.uid, "reject").await?;
        self.expect_at_calcom(&booking.uid, "rejected")?;
        let row = self.it.calcom.booking(&booking.uid);
        let told = row.and_then(|row| row.rejection_reason);
        ensure!(
            told.is_some() && told == decision.message,
            "the booker was told {told:?}, not {:?}",
            decision.message
        );
        Ok(Step {
            title: "A booking is refused for want of credit",
            happened: vec!["Ben has 1.5 credits and books a session for 2.".to_owned()],
            webhooks,
            decision: Some(decision),
            calls: self.new_calls(),
            echoes,
            accounts: vec![self.account(BEN, "1.5").await?],
            shows: "Cal.com passes the reason on to Ben. His credits stay his.".to_owned(),
            ..Step::default()
        })
    }

    async fn a_webhook_comes_twice(&mut self, webhook: &OutgoingWebhook) -> anyhow::Result<Step> {
        let before = self.booking(&webhook.uid).await?;
        let copies = vec![webhook.clone(), webhook.clone()];
        let webhooks = self.deliver_batch(copies).await?;
        let after = self.booking(&webhook.uid).await?;
        let counts = |seen: &Booking| (seen.deliveries.len(), seen.decisions.len());
        ensure!(
            counts(&before) == counts(&after),
            "deliveries and decisions were {:?} and are {:?}",
            counts(&before),
            counts(&after)
        );
        let calls = self.new_calls();
        ensure!(calls.is_empty(), "the provider was called again: {calls:?}");
        Ok(Step {
            title: "A webhook comes twice more",
            happened: vec![
                "Ada's first webhook is delivered again, byte for byte, two times.".to_owned(),
            ],
            webhooks,
            accounts: vec![self.account(ADA, "3").await?],
            shows: format!(
                "Answered 200, stored once ({} deliveries before and after), decided once, no call, no credit.",
                after.deliveries.len()
            ),
            ..Step::default()
        })
    }

    async fn a_webhook_is_forged(&mut self, webhook: &OutgoingWebhook) -> anyhow::Result<Step> {
        let body = std::str::from_utf8(&webhook.body)?;
        let forged = OutgoingWebhook {
            body: body.replace(ADA_AS_TYPED, "eve@reader.example").into(),
            ..webhook.clone()
        };
        ensure!(forged.body != webhook.body, "there was nothing to forge");
        let before = self.booking(&webhook.uid).await?;
        let webhooks = vec![self.deliver_one(&forged, 401).await?];
        self.it.settle().await;
        let after = self.booking(&webhook.uid).await?;
        ensure!(
            before.deliveries.len() == after.deliveries.len(),
            "the forged webhook was stored"
        );
        Ok(Step {
            title: "A webhook is forged",
            happened: vec![
                "Somebody takes Ada's webhook and puts another booker into it. The signature no longer fits.".to_owned(),
            ],
            webhooks,
            shows: "Refused on its raw bytes, before anything is parsed. Nothing is stored.".to_owned(),
            ..Step::default()
        })
    }

    async fn a_move_comes_in_the_wrong_order(&mut self) -> anyhow::Result<Step> {
        let old = self.book("Cleo", CLEO, 120).await?;
        let moved_to = self.it.in_hours(144);
        let calcom = &self.it.calcom;
        let new = calcom
            .reschedule_by_booker(&old.uid, moved_to, None)
            .await?;
        let mut held = calcom.take_outbox();
        held.reverse();
        let (webhooks, echoes) = self.deliver(held).await?;
        let (seen, decision) = self.decided(&new.uid, "accept").await?;
        let decisions = seen.decisions.len();
        expect("decisions on both", &decisions.to_string(), "1")?;
        self.expect_at_calcom(&new.uid, "accepted")?;
        self.expect_at_calcom(&old.uid, "cancelled")?;
        let calls = self.new_calls();
        let told_of_old = calls
            .iter()
            .any(|call| call.method != "GET" && call.path.contains(old.uid.as_str()));
        ensure!(
            !told_of_old,
            "the provider was told of the old booking: {calls:?}"
        );
        Ok(Step {
            title: "A reschedule comes in the wrong order",
            happened: vec![
                "Cleo, who can pay for one session, books one and at once moves it by a day. Cal.com makes a new booking of it, and its webhook overtakes the old one's.".to_owned(),
            ],
            webhooks,
            decision: Some(decision),
            calls,
            echoes,
            accounts: vec![self.account(CLEO, "0").await?],
            shows: "Both are one booking in one chain: decided once, paid once. The late webhook about the old time revives nothing.".to_owned(),
            ..Step::default()
        })
    }

    async fn a_booking_is_cancelled_late(
        &mut self,
        booking: &calcom::Booking,
    ) -> anyhow::Result<Step> {
        self.it.pass_hours(66).await;
        let calcom = &self.it.calcom;
        calcom
            .cancel_by_booker(&booking.uid, Some("A cold"))
            .await?;
        let held = self.it.calcom.take_outbox();
        let (webhooks, echoes) = self.deliver(held).await?;
        let seen = self.booking(&booking.uid).await?;
        expect("the booking", &seen.status, "cancelled")?;
        Ok(Step {
            title: "A booking is cancelled late",
            happened: vec![
                "66 hours pass. Ada cancels her session 30 hours before it begins. By the policy, half comes back from 12 hours up, everything from 48.".to_owned(),
            ],
            webhooks,
            calls: self.new_calls(),
            echoes,
            accounts: vec![self.account(ADA, "4").await?],
            shows: "One of the two credits came back, on the terms that held when the booking was accepted.".to_owned(),
            ..Step::default()
        })
    }

    async fn the_books_add_up(&mut self) -> anyhow::Result<Step> {
        let verified: Verified = self.it.get("/v1/ledger/verify").await?;
        ensure!(verified.ok, "the ledger does not verify");
        let page: Page<Entry> = self.it.get(&format!("/v1/accounts/{ADA}/entries")).await?;
        Ok(Step {
            title: "The books add up",
            happened: vec!["Ada's statement, and a check of the whole ledger.".to_owned()],
            // The newest come first; a story is told from its beginning.
            entries: page.items.into_iter().rev().collect(),
            shows: "GET /v1/ledger/verify: every transaction sums to zero, every balance is the sum of its entries, no account is below its limit.".to_owned(),
            ..Step::default()
        })
    }

    // What the steps are made of.

    async fn book(&self, name: &str, email: &str, hours: i64) -> anyhow::Result<calcom::Booking> {
        let start = self.it.in_hours(hours);
        let request = BookingRequest::new(EVENT_TYPE, start, Person::new(name, email));
        Ok(self.it.calcom.book(request).await?)
    }

    /// Delivers these in this order, and then what Cal.com has to tell because of them: the echoes.
    async fn deliver(
        &self,
        webhooks: Vec<OutgoingWebhook>,
    ) -> anyhow::Result<(Vec<Webhook>, Vec<Webhook>)> {
        let first = self.deliver_batch(webhooks).await?;
        let mut echoes = Vec::new();
        loop {
            let held = self.it.calcom.take_outbox();
            if held.is_empty() {
                return Ok((first, echoes));
            }
            echoes.extend(self.deliver_batch(held).await?);
        }
    }

    async fn deliver_batch(&self, webhooks: Vec<OutgoingWebhook>) -> anyhow::Result<Vec<Webhook>> {
        let mut delivered = Vec::with_capacity(webhooks.len());
        for webhook in &webhooks {
            delivered.push(self.deliver_one(webhook, 200).await?);
            self.it.settle().await;
        }
        Ok(delivered)
    }

    async fn deliver_one(&self, webhook: &OutgoingWebhook, answer: u16) -> anyhow::Result<Webhook> {
        let answered = self.it.calcom.deliver(webhook).await?;
        expect("the answer", &answered.to_string(), &answer.to_string())?;
        Ok(Webhook {
            trigger: webhook.trigger.as_str(),
            booking: webhook.uid.to_string(),
            answered,
        })
    }

    async fn booking(&self, uid: &Uid) -> anyhow::Result<Booking> {
        self.it.get(&format!("/v1/bookings/calcom/{uid}")).await
    }

    async fn decided(&self, uid: &Uid, outcome: &str) -> anyhow::Result<(Booking, Decided)> {
        let seen = self.booking(uid).await?;
        let decisions = &seen.decisions;
        let decision = decisions.iter().find(|one| one.booking == uid.as_str());
        let decision = decision.context("nothing was decided")?.clone();
        expect("the decision", decision.outcome.as_str(), outcome)?;
        Ok((seen, decision))
    }

    /// An account, which must have this much and nothing held.
    async fn account(&self, owner: &str, posted: &str) -> anyhow::Result<Account> {
        let account: Account = self.it.get(&format!("/v1/accounts/{owner}")).await?;
        let balance = account.balances.first().context("there is no balance")?;
        expect("the balance", &balance.posted, posted)?;
        expect("the credit held", &balance.held, "0")?;
        Ok(account)
    }

    fn expect_at_calcom(&self, uid: &Uid, status: &str) -> anyhow::Result<()> {
        let row = self.it.calcom.booking(uid);
        let row = row.context("the booking is gone at Cal.com")?;
        expect("the booking at Cal.com", row.status.as_str(), status)
    }

    /// The calls since the last step.
    fn new_calls(&mut self) -> Vec<Call> {
        let mut calls = self.it.calcom.calls();
        calls.retain(|call| call.order > self.calls_told);
        self.calls_told = calls.last().map_or(self.calls_told, |call| call.order);
        let told = calls.into_iter().map(|call| Call {
            method: call.method.to_string(),
            path: call.path,
            answered: call.answered,
        });
        told.collect()
    }
}

/// Fails unless it is as it has to be.
pub(super) fn expect(what: &str, found: &str, wanted: &str) -> anyhow::Result<()> {
    ensure!(found == wanted, "{what} is `{found}`, not `{wanted}`");
    Ok(())
}
