//! What people do: the invitee on the booking page and by mail link, the host in the app. Each action
//! sends the webhooks that Calendly is known to send, and returns when the first try of each is over.

use super::StandIn;
use super::delivery::{Event, News};
use super::refusal::Refusal;
use super::rows::{Actor, BookingRequest, Invitee, NoShow};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;

impl StandIn {
    /// Books. Of a group event, the second invitee of a time joins the scheduled event of the first.
    ///
    /// # Errors
    /// No such event type, or no place left at that time.
    pub async fn book(&self, request: BookingRequest) -> Result<Invitee, Refusal> {
        let invitee = self.shared.book(&request)?;
        let news = News::of(Event::InviteeCreated, &invitee);
        self.shared.tell(vec![news]).await;
        Ok(invitee)
    }

    /// Moves one invitee to another time: **the old invitee is canceled and a new one is made**, in a
    /// scheduled event of its own (or in the group's at that time). Gives the new one. The two webhooks
    /// leave in either order.
    ///
    /// # Errors
    /// No such invitee, one that is canceled, or no place left at that time.
    pub async fn reschedule(
        &self,
        invitee: &Uid,
        start: Timestamp,
        by: Actor,
    ) -> Result<Invitee, Refusal> {
        let (old, new) = self.shared.reschedule(invitee, start, by)?;
        let news = vec![
            News::of(Event::InviteeCanceled, &old),
            News::of(Event::InviteeCreated, &new),
        ];
        self.shared.tell(news).await;
        Ok(new)
    }

    /// Calls it off. An invitee does so for themselves, the host for everybody who is invited to the
    /// scheduled event.
    ///
    /// # Errors
    /// No such invitee, one that is canceled, or an appointment that is over.
    pub async fn cancel(
        &self,
        invitee: &Uid,
        by: Actor,
        reason: Option<&str>,
    ) -> Result<Invitee, Refusal> {
        let canceled = self.shared.cancel_invitee(invitee, by, reason)?;
        let news = |invitee| News::of(Event::InviteeCanceled, invitee);
        self.shared.tell(canceled.iter().map(news).collect()).await;
        Ok(self.shared.state().invitee(invitee)?.clone())
    }

    /// The host says that the invitee did not come.
    ///
    /// # Errors
    /// No such invitee, or one of whom it was said already.
    pub async fn no_show(&self, invitee: &Uid) -> Result<NoShow, Refusal> {
        self.shared.mark_no_show(invitee).await
    }

    /// The host takes that back.
    ///
    /// # Errors
    /// Nothing with that id was said.
    pub async fn take_back_no_show(&self, no_show: &Uid) -> Result<Invitee, Refusal> {
        self.shared.unmark_no_show(no_show).await
    }
}
