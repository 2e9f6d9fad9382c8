//! What people do: the booker on the booking page and by mail link, the host in the app. Each action
//! sends the webhooks that Cal.com was seen to send, and returns when they were answered.

use super::actions::{Cancel, call_off};
use super::bodies::Cancellation;
use super::bookings::unshared;
use super::refusal::Refusal;
use super::rows::{Booking, BookingRequest, Trigger};
use super::{Person, StandIn};
use crate::domain::booking::{Party, Status};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::{SeatId, Uid};

/// Most occurrences of one series.
pub const OCCURRENCES_MAX: usize = 52;

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

impl StandIn {
    /// Books. The same booker asking for the same slot again while the first request is pending gets
    /// that one back, without a webhook.
    ///
    /// # Errors
    /// No such event type, one with seats, or an accepted booking in the way.
    pub async fn book(&self, request: BookingRequest) -> Result<Booking, Refusal> {
        let shared = &self.shared;
        let event_type = shared.event_type_by_slug(&request.event_type)?;
        unshared(event_type)?;
        if let Some(pending) = shared.same_request(&request, event_type) {
            return Ok(pending);
        }
        shared.require_free(event_type, request.start, None)?;
        let booking = shared.enter(&request, event_type, None, 1);
        shared.announce(&booking, None, None).await;
        Ok(booking)
    }

    /// The account's owner asks for an appointment on the calendar of somebody else, who hears of it and
    /// nobody here does. It is on the list of bookings all the same.
    ///
    /// # Errors
    /// As [`StandIn::book`].
    pub fn book_elsewhere(
        &self,
        host: Person,
        event_type: &str,
        start: Timestamp,
    ) -> Result<Booking, Refusal> {
        let shared = &self.shared;
        let event_type = shared.event_type_by_slug(event_type)?;
        let booker = shared.options.host.clone();
        let request = BookingRequest::new(&event_type.slug, start, booker);
        let booking = shared.enter(&request, event_type, None, 1);
        let mut state = shared.state();
        let row = state.find_mut(&booking.uid)?;
        row.host = Some(host);
        Ok(row.clone())
    }

    /// Books a weekly series: one booking and one webhook per occurrence, one after the other. No
    /// webhook names the series.
    ///
    /// # Errors
    /// As [`StandIn::book`], or not 1 to [`OCCURRENCES_MAX`] occurrences.
    pub async fn book_recurring(
        &self,
        request: BookingRequest,
        occurrences: usize,
    ) -> Result<Vec<Booking>, Refusal> {
        let shared = &self.shared;
        let event_type = shared.event_type_by_slug(&request.event_type)?;
        unshared(event_type)?;
        if occurrences == 0 || occurrences > OCCURRENCES_MAX {
            let message = format!("a series has 1 to {OCCURRENCES_MAX} occurrences");
            return Err(Refusal::bad_request(message));
        }
        let series = shared.state().new_uuid();
        let mut booked = Vec::with_capacity(occurrences);
        let mut occurrence = request;
        for _ in 0..occurrences {
            shared.require_free(event_type, occurrence.start, None)?;
            let booking = shared.enter(&occurrence, event_type, Some(&series), occurrences);
            shared.announce(&booking, None, None).await;
            booked.push(booking);
            occurrence.start = plus_ms(occurrence.start, WEEK_MS);
        }
        Ok(booked)
    }

    /// Takes a seat. While nobody is accepted, everyone gets a booking of their own; once one stands,
    /// the others join it **without anyone being asked**.
    ///
    /// # Errors
    /// No such event type, one without seats, or no seat left.
    pub async fn book_seat(&self, request: BookingRequest) -> Result<(Booking, SeatId), Refusal> {
        let shared = &self.shared;
        let event_type = shared.event_type_by_slug(&request.event_type)?;
        let Some(seats_max) = event_type.seats else {
            return Err(Refusal::bad_request("this event type has no seats"));
        };
        let (booking, seat) = shared.seat(&request, event_type, seats_max)?;
        shared.announce(&booking, Some(&seat), None).await;
        Ok((booking, seat))
    }

    /// The booker chooses another time: the old booking is cancelled at once and without a webhook,
    /// and a new one asks again where the event type asks.
    ///
    /// # Errors
    /// No such booking, a rejected one (404), a cancelled one that was not moved (400), a shared one,
    /// or an accepted booking in the way.
    pub async fn reschedule_by_booker(
        &self,
        uid: &Uid,
        start: Timestamp,
        reason: Option<&str>,
    ) -> Result<Booking, Refusal> {
        self.reschedule(uid, start, reason, Party::Booker).await
    }

    /// The host chooses another time: always accepted, even if the old booking was pending.
    ///
    /// # Errors
    /// As [`StandIn::reschedule_by_booker`].
    pub async fn reschedule_by_host(
        &self,
        uid: &Uid,
        start: Timestamp,
        reason: Option<&str>,
    ) -> Result<Booking, Refusal> {
        self.reschedule(uid, start, reason, Party::Host).await
    }

    /// The booker calls it off by the link in the mail, which names them.
    ///
    /// # Errors
    /// No such booking, cancelled already, or ended.
    pub async fn cancel_by_booker(
        &self,
        uid: &Uid,
        reason: Option<&str>,
    ) -> Result<Booking, Refusal> {
        let email = self.booking_or_refuse(uid)?.booker.email;
        self.cancel_in_app(uid, email, reason).await
    }

    /// The host calls it off in the app, which names them (the API does not).
    ///
    /// # Errors
    /// No such booking, cancelled already, or ended.
    pub async fn cancel_by_host(
        &self,
        uid: &Uid,
        reason: Option<&str>,
    ) -> Result<Booking, Refusal> {
        let email = self.shared.options.host.email.clone();
        self.cancel_in_app(uid, email, reason).await
    }

    /// The host asks the booker to choose another time. Unlike with a cancel, the row changes before
    /// the webhook leaves.
    ///
    /// # Errors
    /// No such booking, or one that is over.
    pub async fn request_reschedule_by_host(
        &self,
        uid: &Uid,
        reason: &str,
    ) -> Result<Booking, Refusal> {
        let shared = &self.shared;
        let before = self.booking_or_refuse(uid)?;
        if before.status.is_over() {
            return Err(Refusal::unknown_booking(uid));
        }
        let host = &shared.options.host;
        let mut told = Cancellation {
            reason: Some(reason.to_owned()),
            by: Some(host.email.clone()),
            request_reschedule: true,
            through_v2: false,
        };
        let after = {
            let mut state = shared.state();
            let row = state.find_mut(uid)?;
            call_off(row, &told, shared.clock.now());
            row.rescheduled = true;
            row.clone()
        };
        told.reason = Some(format!("Please reschedule. {reason}"));
        let payload = shared.about(&before, None).cancelled(&told);
        shared.send(Trigger::Cancelled, uid, &payload).await;
        Ok(after)
    }

    /// The host confirms in the app.
    ///
    /// # Errors
    /// No such booking, or accepted already.
    pub async fn confirm_by_host(&self, uid: &Uid) -> Result<Booking, Refusal> {
        self.shared.confirm(uid, None).await
    }

    /// The host declines in the app.
    ///
    /// # Errors
    /// No such booking, or accepted already.
    pub async fn decline_by_host(
        &self,
        uid: &Uid,
        reason: Option<&str>,
    ) -> Result<Booking, Refusal> {
        self.shared.decline(uid, reason, None).await
    }

    /// The host says that the booker did not come.
    ///
    /// # Errors
    /// No such booking.
    pub async fn mark_no_show(&self, uid: &Uid) -> Result<Booking, Refusal> {
        self.set_no_show(uid, true).await
    }

    /// The host says that the booker did come after all.
    ///
    /// # Errors
    /// No such booking.
    pub async fn take_back_no_show(&self, uid: &Uid) -> Result<Booking, Refusal> {
        self.set_no_show(uid, false).await
    }

    async fn set_no_show(&self, uid: &Uid, missed: bool) -> Result<Booking, Refusal> {
        let shared = &self.shared;
        let booking = {
            let mut state = shared.state();
            let row = state.find_mut(uid)?;
            let email = row.booker.email.clone();
            row.absent.retain(|absent| *absent != email);
            if missed {
                row.absent.push(email);
            }
            row.updated_at = shared.clock.now();
            row.clone()
        };
        let about = shared.about(&booking, None);
        let payload = about.no_show(&booking.booker.email, missed);
        shared.send(Trigger::NoShowUpdated, uid, &payload).await;
        Ok(booking)
    }

    fn booking_or_refuse(&self, uid: &Uid) -> Result<Booking, Refusal> {
        self.shared.state().find(uid).cloned()
    }

    async fn cancel_in_app(
        &self,
        uid: &Uid,
        by: String,
        reason: Option<&str>,
    ) -> Result<Booking, Refusal> {
        let told = Cancellation {
            reason: reason.map(str::to_owned),
            by: Some(by),
            ..Cancellation::default()
        };
        let cancel = Cancel {
            told,
            ..Cancel::default()
        };
        self.shared.cancel(uid, cancel).await
    }

    async fn reschedule(
        &self,
        uid: &Uid,
        start: Timestamp,
        reason: Option<&str>,
        by: Party,
    ) -> Result<Booking, Refusal> {
        let shared = &self.shared;
        let old = self.booking_or_refuse(uid)?;
        match old.status {
            Status::Rejected => return Err(Refusal::unknown_booking(uid)),
            Status::Cancelled if !old.rescheduled => {
                let message = "cancelled_bookings_cannot_be_rescheduled";
                return Err(Refusal::bad_request(message));
            }
            _ => {}
        }
        let event_type = shared.event_type(&old);
        unshared(event_type)?;
        shared.require_free(event_type, start, Some(uid))?;
        let (old, new) = shared.replace(uid, start, reason, by)?;
        shared.announce(&new, None, Some(&old)).await;
        Ok(new)
    }
}
