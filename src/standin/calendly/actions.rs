//! What becomes of the rows: what the app, the mail links and the API have in common.

use super::delivery::{Event, News};
use super::refusal::Refusal;
use super::rows::{
    Actor, BookingRequest, Cancellation, EventType, Invitee, NoShow, ScheduledEvent, Status,
    Tracking,
};
use super::state::{Shared, State};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;

impl Shared {
    /// The event type with an id.
    pub(super) fn event_type(&self, uuid: &Uid) -> Option<&EventType> {
        let mut all = self.options.event_types.iter();
        all.find(|event_type| event_type.uuid == *uuid)
    }

    /// Adds an invitee.
    pub(super) fn book(&self, request: &BookingRequest) -> Result<Invitee, Refusal> {
        let mut all = self.options.event_types.iter();
        let event_type = all
            .find(|event_type| event_type.slug == request.event_type)
            .ok_or_else(Refusal::not_found)?;
        let mut state = self.state();
        let now = state.change_time(self.clock.now());
        let event = state.place_at(event_type, request.start, now, None)?;
        event
            .guests
            .extend(request.guests.iter().map(|guest| (guest.clone(), now)));
        let event = event.uuid.clone();
        let questions = event_type.questions.iter().cloned();
        let invitee = Invitee {
            uuid: state.new_uuid(),
            event,
            person: request.person.clone(),
            status: Status::Active,
            rescheduled: false,
            old_invitee: None,
            new_invitee: None,
            cancellation: None,
            no_show: None,
            answers: questions.zip(request.answers.iter().cloned()).collect(),
            tracking: request.tracking.clone(),
            created_at: now,
            updated_at: now,
        };
        state.invitees.push(invitee.clone());
        Ok(invitee)
    }

    /// Cancels the old invitee and adds the new one; the scheduled event ends when nobody is left. Gives
    /// both.
    pub(super) fn reschedule(
        &self,
        uuid: &Uid,
        start: Timestamp,
        by: Actor,
    ) -> Result<(Invitee, Invitee), Refusal> {
        let mut state = self.state();
        let old = state.invitee(uuid)?.clone();
        if old.status == Status::Canceled {
            return Err(Refusal::denied("This invitee is canceled already."));
        }
        let now = state.change_time(self.clock.now());
        let (event_type, guests) = {
            let event = state.event(&old.event)?;
            let event_type = self.event_type(&event.event_type);
            let event_type = event_type.ok_or_else(Refusal::not_found)?;
            (event_type, event.guests.clone())
        };
        let moved = (event_type.invitees_max == 1).then_some(&old.event);
        let event = state.place_at(event_type, start, now, moved)?;
        if moved.is_some() {
            event.guests = guests;
        }
        let event = event.uuid.clone();
        let new = Invitee {
            uuid: state.new_uuid(),
            event,
            old_invitee: Some(uuid.clone()),
            no_show: None,
            tracking: if self.options.carries_tracking {
                old.tracking.clone()
            } else {
                Tracking::default()
            },
            created_at: now,
            updated_at: now,
            ..old
        };
        state.invitees.push(new.clone());
        let cancellation = self.cancellation(&state, uuid, by, None, now)?;
        let row = state.cancel(uuid, &cancellation)?;
        row.rescheduled = true;
        row.new_invitee = Some(new.uuid.clone());
        let old = row.clone();
        state.end_if_empty(&old.event, &cancellation)?;
        Ok((old, new))
    }

    /// Cancels one invitee, or with the host everybody beside them as well; gives those canceled.
    pub(super) fn cancel_invitee(
        &self,
        uuid: &Uid,
        by: Actor,
        reason: Option<&str>,
    ) -> Result<Vec<Invitee>, Refusal> {
        let mut state = self.state();
        let invitee = state.invitee(uuid)?;
        if invitee.status == Status::Canceled {
            return Err(Refusal::denied("This invitee is canceled already."));
        }
        let event = invitee.event.clone();
        if by == Actor::Host {
            return Ok(self.cancel_all(&mut state, &event, reason)?.1);
        }
        require_ahead(state.event(&event)?, self.clock.now())?;
        let now = state.change_time(self.clock.now());
        let cancellation = self.cancellation(&state, uuid, by, reason, now)?;
        let canceled = state.cancel(uuid, &cancellation)?.clone();
        state.end_if_empty(&event, &cancellation)?;
        Ok(vec![canceled])
    }

    /// The host calls off a scheduled event: **everybody who is invited to it is canceled**. Refused
    /// when it is canceled or over.
    pub(super) fn cancel_event(
        &self,
        uuid: &Uid,
        reason: Option<&str>,
    ) -> Result<(Cancellation, Vec<Invitee>), Refusal> {
        self.cancel_all(&mut self.state(), uuid, reason)
    }

    fn cancel_all(
        &self,
        state: &mut State,
        uuid: &Uid,
        reason: Option<&str>,
    ) -> Result<(Cancellation, Vec<Invitee>), Refusal> {
        let event = state.event(uuid)?;
        if event.status == Status::Canceled {
            return Err(Refusal::denied("Event is already canceled"));
        }
        require_ahead(event, self.clock.now())?;
        let cancellation = Cancellation {
            canceled_by: self.options.host.name.clone(),
            reason: reason.map(str::to_owned),
            canceler: Actor::Host,
            created_at: state.change_time(self.clock.now()),
        };
        let mut canceled = Vec::new();
        for invitee in state.active_invitees_of(uuid) {
            canceled.push(state.cancel(&invitee, &cancellation)?.clone());
        }
        state.end_if_empty(uuid, &cancellation)?;
        Ok((cancellation, canceled))
    }

    /// Says that somebody did not come, and tells so.
    pub(super) async fn mark_no_show(&self, uuid: &Uid) -> Result<NoShow, Refusal> {
        let (no_show, invitee) = {
            let mut state = self.state();
            if state.invitee(uuid)?.no_show.is_some() {
                return Err(Refusal::invalid(
                    "invitee",
                    "is marked as a no-show already",
                ));
            }
            let no_show = NoShow {
                uuid: state.new_uuid(),
                created_at: state.change_time(self.clock.now()),
            };
            let invitee = state.invitee_mut(uuid)?;
            invitee.no_show = Some(no_show.clone());
            invitee.updated_at = no_show.created_at;
            (no_show, invitee.clone())
        };
        self.tell(vec![News::of(Event::NoShowCreated, &invitee)])
            .await;
        Ok(no_show)
    }

    /// Takes it back, and tells so.
    pub(super) async fn unmark_no_show(&self, no_show: &Uid) -> Result<Invitee, Refusal> {
        let invitee = {
            let mut state = self.state();
            let now = state.change_time(self.clock.now());
            let said = |invitee: &&mut Invitee| {
                let said = invitee.no_show.as_ref();
                said.is_some_and(|said| said.uuid == *no_show)
            };
            let found = state.invitees.iter_mut().find(said);
            let invitee = found.ok_or_else(Refusal::not_found)?;
            invitee.no_show = None;
            invitee.updated_at = now;
            invitee.clone()
        };
        self.tell(vec![News::of(Event::NoShowDeleted, &invitee)])
            .await;
        Ok(invitee)
    }

    fn cancellation(
        &self,
        state: &State,
        invitee: &Uid,
        by: Actor,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Cancellation, Refusal> {
        let canceled_by = match by {
            Actor::Invitee => state.invitee(invitee)?.person.name.clone(),
            Actor::Host => self.options.host.name.clone(),
        };
        Ok(Cancellation {
            canceled_by,
            reason: reason.map(str::to_owned),
            canceler: by,
            created_at: now,
        })
    }
}

/// Refuses what has begun.
fn require_ahead(event: &ScheduledEvent, now: Timestamp) -> Result<(), Refusal> {
    if event.start <= now {
        return Err(Refusal::denied("You cannot cancel an event in the past"));
    }
    Ok(())
}

impl State {
    /// The scheduled event that somebody gets a place in: that of a group at the same time, or a new
    /// one. `moved` is the one that makes room.
    fn place_at(
        &mut self,
        event_type: &EventType,
        start: Timestamp,
        now: Timestamp,
        moved: Option<&Uid>,
    ) -> Result<&mut ScheduledEvent, Refusal> {
        let end = event_type.end_of(start);
        let in_the_way = self.events.iter().position(|event| {
            event.status == Status::Active
                && event.start < end
                && start < event.end
                && Some(&event.uuid) != moved
        });
        let Some(place) = in_the_way else {
            let uuid = self.new_uuid();
            let place = self.events.len();
            self.events.push(ScheduledEvent {
                uuid,
                event_type: event_type.uuid.clone(),
                status: Status::Active,
                start,
                end,
                guests: Vec::new(),
                cancellation: None,
                created_at: now,
                updated_at: now,
            });
            return Ok(&mut self.events[place]);
        };
        let standing = &self.events[place];
        let joins = standing.event_type == event_type.uuid && standing.start == start;
        let taken = self.active_invitees_of(&standing.uuid).len();
        if !joins || taken >= event_type.invitees_max {
            return Err(Refusal::taken());
        }
        let event = &mut self.events[place];
        event.updated_at = now;
        Ok(event)
    }

    fn cancel(&mut self, uuid: &Uid, cancellation: &Cancellation) -> Result<&mut Invitee, Refusal> {
        let invitee = self.invitee_mut(uuid)?;
        invitee.status = Status::Canceled;
        invitee.cancellation = Some(cancellation.clone());
        invitee.updated_at = cancellation.created_at;
        Ok(invitee)
    }

    fn end_if_empty(&mut self, uuid: &Uid, cancellation: &Cancellation) -> Result<(), Refusal> {
        let empty = self.active_invitees_of(uuid).is_empty();
        let event = self.event_mut(uuid)?;
        event.updated_at = cancellation.created_at;
        if empty {
            event.status = Status::Canceled;
            event.cancellation = Some(cancellation.clone());
        }
        Ok(())
    }
}
