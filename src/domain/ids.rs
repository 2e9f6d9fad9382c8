//! Names of things: newtypes, so that one cannot stand where another belongs.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A configured instance of a provider, such as `calcom`: `[a-z0-9_]{1,32}` (checked where
    /// settings are read). Two Cal.com accounts are two sources.
    SourceName
}
text_id! {
    /// The provider's own id of one booking. Cal.com: the `uid`; where a body names only the
    /// numeric booking id, `id:91` until the uid is known.
    Uid
}
text_id! {
    /// The provider's id of one seat of a booking that several people share.
    SeatId
}

impl Uid {
    /// The stand-in for a booking of which only the number is known.
    pub fn from_number(number: i64) -> Self {
        Self(format!("id:{number}"))
    }
}

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id! {
    /// A stored webhook delivery.
    DeliveryId
}
row_id! {
    /// A chain of bookings that a person calls one booking.
    ChainId
}
row_id! {
    /// A decision.
    DecisionId
}
row_id! {
    /// An account of the ledger.
    AccountId
}
row_id! {
    /// One try at a command.
    AttemptId
}
row_id! {
    /// A command for the provider (an outbox row).
    CommandId
}
row_id! {
    /// Credit set aside for one decided booking: held, then captured or released.
    HoldId
}

/// One thing that can be decided: a booking, or one seat of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnitKey {
    /// The booking.
    pub uid: Uid,
    /// The seat, where the booking is shared.
    pub seat: Option<SeatId>,
}

impl UnitKey {
    /// A whole booking.
    pub fn booking(uid: Uid) -> Self {
        Self { uid, seat: None }
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.seat {
            Some(seat) => write!(f, "{}/{seat}", self.uid),
            None => self.uid.fmt(f),
        }
    }
}
