//! How bookings come about: new, seated, or moved; and how that is told.

use super::refusal::Refusal;
use super::rows::{Booking, BookingRequest, EventType, Trigger};
use super::state::Shared;
use crate::domain::booking::{Party, Status};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SeatId, Uid};

impl Shared {
    /// The pending booking that the same person already asked for.
    pub(super) fn same_request(
        &self,
        request: &BookingRequest,
        event_type: &EventType,
    ) -> Option<Booking> {
        let state = self.state();
        let same = |booking: &&Booking| {
            booking.status == Status::Pending
                && booking.event_type_id == event_type.id
                && booking.start == request.start
                && booking.booker.email == request.booker.email
        };
        state.bookings.iter().find(same).cloned()
    }

    /// Refuses a slot with an accepted booking in it, other than the one to be moved.
    pub(super) fn require_free(
        &self,
        event_type: &EventType,
        start: Timestamp,
        moved: Option<&Uid>,
    ) -> Result<(), Refusal> {
        let end = event_type.end_of(start);
        if self.state().is_taken(start, end, moved) {
            return Err(Refusal::slot_taken());
        }
        Ok(())
    }

    /// Adds a booking, or one occurrence of a series.
    pub(super) fn enter(
        &self,
        request: &BookingRequest,
        event_type: &EventType,
        series: Option<&String>,
        occurrences: usize,
    ) -> Booking {
        let mut state = self.state();
        let row = state.insert(request, event_type, &self.options.host, self.clock.now());
        row.series = series.cloned();
        row.occurrences = occurrences;
        row.clone()
    }

    /// Adds a seat to the booking that stands, or a booking with one seat.
    pub(super) fn seat(
        &self,
        request: &BookingRequest,
        event_type: &EventType,
        seats_max: usize,
    ) -> Result<(Booking, SeatId), Refusal> {
        let now = self.clock.now();
        let mut state = self.state();
        let seat = state.new_seat(request.booker.clone());
        let id = seat.id.clone();
        let standing = state.bookings.iter().position(|booking| {
            booking.status == Status::Accepted
                && booking.event_type_id == event_type.id
                && booking.start == request.start
        });
        let end = event_type.end_of(request.start);
        let row = match standing {
            Some(place) => &mut state.bookings[place],
            None if state.is_taken(request.start, end, None) => return Err(Refusal::slot_taken()),
            None => state.insert(request, event_type, &self.options.host, now),
        };
        if row.seats.len() >= seats_max {
            return Err(Refusal::slot_taken());
        }
        row.seats.push(seat);
        row.updated_at = now;
        Ok((row.clone(), id))
    }

    /// Cancels the old row and adds the new one. A booking that was moved already is moved again: then
    /// **two bookings name the same predecessor**.
    pub(super) fn replace(
        &self,
        uid: &Uid,
        start: Timestamp,
        reason: Option<&str>,
        by: Party,
    ) -> Result<(Booking, Booking), Refusal> {
        let now = self.clock.now();
        let mut state = self.state();
        let mover = match by {
            Party::Booker => state.find(uid)?.booker.email.clone(),
            Party::Host => self.options.host.email.clone(),
        };
        let row = state.find_mut(uid)?;
        row.status = Status::Cancelled;
        row.rescheduled = true;
        row.rescheduled_by = Some(mover);
        row.updated_at = now;
        let old = row.clone();

        let event_type = self.event_type(&old);
        let asks = by == Party::Booker && event_type.requires_confirmation;
        let new = Booking {
            uid: state.new_uid(),
            status: if asks {
                Status::Pending
            } else {
                Status::Accepted
            },
            start,
            end: event_type.end_of(start),
            from_reschedule: Some(uid.clone()),
            rescheduled: false,
            rescheduled_by: None,
            reschedule_reason: reason.map(str::to_owned),
            cancellation_reason: reason.map(str::to_owned),
            cancelled_by: None,
            rejection_reason: None,
            ical_sequence: old.ical_sequence + 1,
            absent: Vec::new(),
            created_at: now,
            updated_at: now,
            ..old.clone()
        };
        Ok((old, state.append(new).clone()))
    }

    /// Tells of a booking that was just made: pending ones as requested, others as created or moved.
    pub(super) async fn announce(
        &self,
        booking: &Booking,
        seat: Option<&SeatId>,
        moved: Option<&Booking>,
    ) {
        let pending = booking.status == Status::Pending;
        let trigger = match moved {
            _ if pending => Trigger::Requested,
            None => Trigger::Created,
            Some(_) => Trigger::Rescheduled,
        };
        let password = pending.then(|| self.state().new_uuid());
        let payload = self
            .about(booking, seat)
            .submitted(password.as_deref(), moved);
        self.send(trigger, &booking.uid, &payload).await;
    }
}

/// Refuses an event type that is booked by the seat.
pub(super) fn unshared(event_type: &EventType) -> Result<(), Refusal> {
    if event_type.seats.is_some() {
        let message = "this event type is shared: take a seat instead";
        return Err(Refusal::bad_request(message));
    }
    Ok(())
}
