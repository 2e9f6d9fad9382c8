//! What happens at Calendly: a reschedule, whose two halves come in the wrong order.

use anyhow::{Context as _, ensure};

use super::installation::{EVENT_TYPE, Installation};
use super::story::expect;
use super::told::{Account, Booking, Call, Step, Webhook};
use crate::domain::decision::Outcome;
use crate::standin::calendly::{Actor, BookingRequest, Invitee, OutgoingWebhook, Person, Status};

/// Who books at Calendly.
pub(super) const DORA: &str = "dora@reader.example";

/// The ids of Calendly are long, and two of them stand in a path: a part of each will do.
const ID_CHARS: usize = 8;

/// Plays the step.
pub(super) async fn a_move_comes_in_halves(it: &Installation) -> anyhow::Result<Step> {
    let calendly = &it.calendly;
    let calls_before = calendly.calls().len();
    let dora = Person::new("Dora", DORA);
    let request = BookingRequest::new(EVENT_TYPE, it.in_hours(170), dora);
    let old = calendly.book(request).await?;
    let moved = calendly.reschedule(&old.uuid, it.in_hours(194), Actor::Invitee);
    let new = moved.await?;

    let mut held = calendly.take_outbox();
    ensure!(held.len() == 3, "Calendly sent {} webhooks", held.len());
    // The half of the new first, then that of the old, and its beginning last.
    held.sort_by_key(|webhook| (webhook.invitee == old.uuid, webhook.event));
    held[1..].reverse();
    let mut webhooks = Vec::new();
    for webhook in &held {
        webhooks.push(deliver(it, webhook).await?);
        it.settle().await;
    }

    let seen = booking(it, &new).await?;
    expect("the booking", &seen.status, "accepted")?;
    expect(
        "the one before",
        &booking(it, &old).await?.status,
        "superseded",
    )?;
    let [decision] = seen.decisions.as_slice() else {
        anyhow::bail!("{} decisions instead of one", seen.decisions.len());
    };
    ensure!(decision.outcome == Outcome::Accept, "it was not accepted");
    let stands = calendly.invitee(&new.uuid).map(|row| row.status);
    ensure!(stands == Some(Status::Active), "it was called off");
    let calls = calendly.calls().split_off(calls_before);
    let changed = calls.iter().find(|call| call.effective);
    ensure!(changed.is_none(), "Calendly was told of it: {changed:?}");
    let account: Account = it.get(&format!("/v1/accounts/{DORA}")).await?;
    let balance = account.balances.first().context("there is no balance")?;
    expect("the balance", &balance.posted, "0")?;
    expect("the credit held", &balance.held, "0")?;
    let told = calls.into_iter().map(|call| Call {
        method: call.method.to_string(),
        path: shortened(&call.path),
        answered: call.answered,
    });
    Ok(Step {
        title: "A reschedule at Calendly comes in halves, the wrong way round",
        happened: vec![
            "The same daemon serves Calendly, where a booking stands at once. Dora, who can pay for one session, books one and moves it by a day. Calendly cancels the old booking and makes a new one: its webhook comes first, then the cancel, and the first booking last.".to_owned(),
        ],
        webhooks,
        decision: Some(decision.clone()),
        calls: told.collect(),
        accounts: vec![account],
        shows: "One booking, one charge. What was not heard of was read before anything was decided, and the cancel of the old half gave nothing back.".to_owned(),
        ..Step::default()
    })
}

async fn deliver(it: &Installation, webhook: &OutgoingWebhook) -> anyhow::Result<Webhook> {
    let answered = it.calendly.deliver(webhook).await?;
    expect("the answer", &answered.to_string(), "200")?;
    Ok(Webhook {
        trigger: webhook.event.as_str(),
        booking: short(webhook.invitee.as_str()),
        answered,
    })
}

async fn booking(it: &Installation, invitee: &Invitee) -> anyhow::Result<Booking> {
    let path = format!("/v1/bookings/calendly/{}.{}", invitee.event, invitee.uuid);
    it.get(&path).await
}

fn shortened(path: &str) -> String {
    path.split('/').map(short).collect::<Vec<_>>().join("/")
}

fn short(part: &str) -> String {
    let is_id = part.len() == 36 && part.contains('-');
    let chars = if is_id { ID_CHARS } else { part.len() };
    part.chars().take(chars).collect()
}
