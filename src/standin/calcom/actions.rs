//! Confirm, decline and cancel: what the host's buttons, the mail links and both API dialects have in
//! common. The guards are as weak as Cal.com's; each weakness is named where it is.

use super::bodies::Cancellation;
use super::refusal::Refusal;
use super::rows::{Booking, Trigger};
use super::state::{Shared, State};
use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SeatId, Uid};

/// How a booking is called off.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancel {
    pub(super) told: Cancellation,
    /// Only this seat.
    pub(super) seat: Option<SeatId>,
    /// This occurrence of the series and all after it.
    pub(super) all_remaining: bool,
    /// Whether the caller is known to be the host in a place that asks hosts for a reason.
    pub(super) reason_required: bool,
}

impl Shared {
    /// Lets a booking stand, and with it all pending ones of its series. Only an accepted one is
    /// refused: **a rejected or cancelled booking comes back to life**, and nobody looks whether the
    /// slot is free or over.
    pub(super) async fn confirm(
        &self,
        uid: &Uid,
        seat: Option<&SeatId>,
    ) -> Result<Booking, Refusal> {
        let booking = self.answer(uid, Status::Accepted, None)?;
        let payload = self.about(&booking, seat).confirmed();
        self.send(Trigger::Created, uid, &payload).await;
        Ok(booking)
    }

    /// Refuses a booking, and with it all pending ones of its series. Works again on a rejected one,
    /// and on a cancelled one.
    pub(super) async fn decline(
        &self,
        uid: &Uid,
        reason: Option<&str>,
        seat: Option<&SeatId>,
    ) -> Result<Booking, Refusal> {
        let booking = self.answer(uid, Status::Rejected, reason)?;
        let payload = self.about(&booking, seat).rejected(reason);
        self.send(Trigger::Rejected, uid, &payload).await;
        Ok(booking)
    }

    fn answer(&self, uid: &Uid, status: Status, reason: Option<&str>) -> Result<Booking, Refusal> {
        let now = self.clock.now();
        let mut state = self.state();
        let booking = state.find(uid)?;
        if booking.status == Status::Accepted {
            return Err(Refusal::not_pending());
        }
        let series = booking.series.clone();
        for row in &mut state.bookings {
            let answered = match &series {
                None => row.uid == *uid,
                Some(_) => row.series == series && row.status == Status::Pending,
            };
            if answered {
                row.status = status;
                row.updated_at = now;
                if let Some(reason) = reason {
                    row.rejection_reason = Some(reason.to_owned());
                }
            }
        }
        state.find(uid).cloned()
    }

    /// Calls a booking off. **The webhook leaves before the row changes**, so that a read in between
    /// still shows the booking as it was.
    pub(super) async fn cancel(&self, uid: &Uid, cancel: Cancel) -> Result<Booking, Refusal> {
        let booking = self.cancellable(uid, &cancel)?;
        if let Some(seat) = cancel.seat.as_ref().filter(|_| booking.seats.len() > 1) {
            return self.give_up_seat(&booking, seat, &cancel.told).await;
        }
        let payload = self
            .about(&booking, cancel.seat.as_ref())
            .cancelled(&cancel.told);
        self.send(Trigger::Cancelled, uid, &payload).await;
        self.end(&booking, &cancel)
    }

    /// The row changes, whatever became of it since the webhook left.
    pub(super) fn end(&self, booking: &Booking, cancel: &Cancel) -> Result<Booking, Refusal> {
        let now = self.clock.now();
        let mut state = self.state();
        for row in &mut state.bookings {
            let follows = cancel.all_remaining
                && row.series.is_some()
                && row.series == booking.series
                && row.start >= booking.start
                && row.status != Status::Cancelled;
            if row.uid == booking.uid || follows {
                call_off(row, &cancel.told, now);
            }
        }
        state.find(&booking.uid).cloned()
    }

    pub(super) fn cancellable(&self, uid: &Uid, cancel: &Cancel) -> Result<Booking, Refusal> {
        let state = self.state();
        let booking = state.find(uid)?;
        if booking.status == Status::Cancelled {
            let message = "This booking has already been cancelled.";
            return Err(Refusal::bad_request(message));
        }
        if booking.end < self.clock.now() {
            let message = "Cannot cancel a booking that has already ended";
            return Err(Refusal::bad_request(message));
        }
        if cancel.reason_required && cancel.told.reason.is_none() {
            let message = "Cancellation reason is required when you are the host";
            return Err(Refusal::bad_request(message));
        }
        if cancel
            .seat
            .as_ref()
            .is_some_and(|seat| !booking.has_seat(seat))
        {
            return Err(Refusal::bad_request("User not a part of this booking"));
        }
        Ok(booking.clone())
    }

    /// Frees one seat of several: the booking stands for the others, though the webhook says
    /// `CANCELLED`. Unlike a whole booking's, the row changes first.
    async fn give_up_seat(
        &self,
        booking: &Booking,
        seat: &SeatId,
        told: &Cancellation,
    ) -> Result<Booking, Refusal> {
        let now = self.clock.now();
        let changed = {
            let mut state = self.state();
            let row = state.find_mut(&booking.uid)?;
            row.seats.retain(|taken| taken.id != *seat);
            row.updated_at = now;
            row.clone()
        };
        let payload = self.about(booking, Some(seat)).cancelled(told);
        self.send(Trigger::Cancelled, &booking.uid, &payload).await;
        Ok(changed)
    }
}

/// Marks a row as cancelled. What is not told stays as it was, stale or not.
pub(super) fn call_off(row: &mut Booking, told: &Cancellation, now: Timestamp) {
    row.status = Status::Cancelled;
    if told.reason.is_some() {
        row.cancellation_reason.clone_from(&told.reason);
    }
    if told.by.is_some() {
        row.cancelled_by.clone_from(&told.by);
    }
    row.ical_sequence += 1;
    row.updated_at = now;
}

impl State {
    /// The occurrences of a series by start.
    pub(super) fn series(&self, id: &str) -> Vec<&Booking> {
        let mut occurrences: Vec<_> = self
            .bookings
            .iter()
            .filter(|booking| booking.series.as_deref() == Some(id))
            .collect();
        occurrences.sort_by_key(|booking| (booking.start, booking.number));
        occurrences
    }
}
