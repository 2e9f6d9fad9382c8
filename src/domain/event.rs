//! A provider's webhook, translated: what happened to which booking, in words no provider owns.

use serde::{Deserialize, Serialize};

use super::booking::{Details, Party, Status};
use super::clock::Timestamp;
use super::ids::{SeatId, Uid, UnitKey};

/// What the provider says happened. The order of the variants breaks ties between facts of the same
/// provider time: the later variant wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Waits for payment before anyone is asked.
    PaymentInitiated,
    /// Somebody asks for an appointment; it is pending.
    Requested,
    /// Paid; the state is told by another event.
    Paid,
    /// It stands: accepted by itself, or confirmed.
    Created,
    /// It stands at a new time, under a new id.
    Rescheduled,
    /// Another booking has taken its place: the other half of a move, told of the old id.
    Moved,
    /// Another host has it.
    Reassigned,
    /// It takes place elsewhere.
    LocationUpdated,
    /// Someone did not come, or did after all ([`BookingEvent::taken_back`]).
    NoShow,
    /// It was declined.
    Rejected,
    /// It was called off.
    Cancelled,
}

impl EventKind {
    /// The kind as it is written in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentInitiated => "payment_initiated",
            Self::Requested => "requested",
            Self::Paid => "paid",
            Self::Created => "created",
            Self::Rescheduled => "rescheduled",
            Self::Moved => "moved",
            Self::Reassigned => "reassigned",
            Self::LocationUpdated => "location_updated",
            Self::NoShow => "no_show",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The booking that this one replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its id.
    pub uid: Uid,
    /// Its numeric id, where the provider has one.
    pub number: Option<i64>,
}

/// One webhook about one booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which booking.
    pub uid: Uid,
    /// The booking's numeric id, where the provider has one.
    pub number: Option<i64>,
    /// To which seat, if the event is about one seat only.
    pub seat: Option<SeatId>,
    /// The provider's own time of the event; orders events, is never compared with our clock.
    pub sent_at: Option<Timestamp>,
    /// The state the body names, where it names one.
    pub status: Option<Status>,
    /// Whether the body has the shape that only a confirm by hand (or by us) gives. Cal.com: no
    /// `iCalUID` and times with milliseconds.
    pub after_confirm: bool,
    /// The booking this one replaces.
    pub predecessor: Option<Predecessor>,
    /// The booking that replaces this one, where the provider tells of a move under the old id, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Uid>,
    /// Who moved it. `None` if the body does not tell.
    pub moved_by: Option<Party>,
    /// Who cancelled it. `None` if the body does not tell.
    pub cancelled_by: Option<Party>,
    /// The host asked the booker to choose another time.
    pub reschedule_requested: bool,
    /// With [`EventKind::NoShow`]: somebody did come after all, and the mark is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// The reason given for a cancel or a decline; untrusted.
    pub reason: Option<String>,
    /// The booking's contents, where the body has them (a no-show has none).
    pub details: Option<Box<Details>>,
}

impl BookingEvent {
    /// Whether both tell of the same thing happening: to one booking or seat, at one time of the provider.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let what = |event: &Self| (event.kind, event.taken_back, event.sent_at);
        what(self) == what(other) && self.uid == other.uid && self.seat == other.seat
    }

    /// What the event is about: the booking, or one seat of it.
    pub fn unit(&self) -> UnitKey {
        UnitKey {
            uid: self.uid.clone(),
            seat: self.seat.clone(),
        }
    }
}
