//! What retention removes, and how much of it.

use std::ops::AddAssign;

use serde::Serialize;

/// What may be removed once it is old, each by an age of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removable {
    /// The bodies of webhooks that were understood; counted in deliveries.
    DeliveryBodies,
    /// The bodies of webhooks that were not understood, or are quarantined; counted in deliveries.
    UnparsedBodies,
    /// What the webhooks and the API said of bookings that are over and settled, and the calls made
    /// for them; counted in chains.
    Facts,
    /// The lines of webhooks whose bodies and facts are gone.
    Deliveries,
    /// The answers to orders that carried an idempotency key.
    IdempotencyKeys,
}

impl Removable {
    /// All kinds, in an order in which what one leaves behind is found by a later one.
    pub const ALL: [Self; 5] = [
        Self::DeliveryBodies,
        Self::UnparsedBodies,
        Self::Facts,
        Self::Deliveries,
        Self::IdempotencyKeys,
    ];

    /// The kind as it is called in settings and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeliveryBodies => "delivery_bodies",
            Self::UnparsedBodies => "unparsed_bodies",
            Self::Facts => "facts",
            Self::Deliveries => "deliveries",
            Self::IdempotencyKeys => "idempotency",
        }
    }
}

/// What a search for what may go has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// In their order.
    pub ids: Vec<i64>,
    /// The next search goes on behind this id; `None`: all has been looked at.
    pub searched_to: Option<i64>,
}

/// How much was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// How many: deliveries, chains or keys, as the kind counts.
    pub rows: i64,
    /// Bytes of bodies that go with them, as far as they are worth counting.
    pub bytes: i64,
}

impl Removed {
    pub(in crate::storage) fn new(rows: u64, bytes: i64) -> Self {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        Self { rows, bytes }
    }
}

impl AddAssign for Removed {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}
