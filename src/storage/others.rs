//! Other bookings, for rules that count them, and what can be used only so many times.

use super::backend::{Key, Sql, Tx};
use super::bookings::booking;
use super::error::StorageError;
use super::records::BookingRow;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, SourceName, UnitKey};
use crate::domain::others::{Measured, OTHERS_MAX, Of, Wanted};

// Each reads an index of its own. What nobody has decided yet counts for nobody.
macro_rules! others_by {
    ($column:literal) => {
        Sql::same(concat!(
            "SELECT * FROM booking
             WHERE ",
            $column,
            " = $1 AND chain_id <> $2
                 AND start_at >= $3 AND start_at < $4 AND end_at > $5
                 AND COALESCE(asked_at, start_at) >= $6 AND COALESCE(asked_at, start_at) < $7
                 AND (outcome IS NOT NULL OR status = 'accepted')
                 AND status NOT IN ('superseded', 'unknown')
             ORDER BY start_at DESC, source, uid, seat LIMIT $8"
        ))
        .in_sets()
    };
}

const OF_BOOKER: Sql = others_by!("booker");
const OF_DOMAIN: Sql = others_by!("domain");
const OF_EVENT_TYPE: Sql = others_by!("event_type");
// Held until the transaction ends. A file has one writer: there it only answers.
const LOCK: Sql = Sql::each(
    "SELECT $1 AS locked",
    "SELECT CAST(pg_advisory_xact_lock(HASHTEXTEXTENDED($1, 0)) AS TEXT) AS locked",
)
.in_sets();
// A booking whose line retention has removed took place: what it used is used.
const USES: Sql = Sql::same(
    "SELECT COUNT(*) AS uses FROM code_use LEFT JOIN booking ON booking.source = code_use.source
         AND booking.uid = code_use.uid AND booking.seat = code_use.seat
     WHERE code_use.code = $1 AND (booking.uid IS NULL OR (booking.chain_id <> $2
         AND booking.status IN ('pending', 'accepted') AND booking.outcome <> 'reject'))",
)
.in_sets();
const USE: Sql = Sql::same(
    "INSERT INTO code_use (code, source, uid, seat, used_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (code, source, uid, seat) DO NOTHING",
)
.in_sets();

impl Tx {
    /// Keeps everybody else from counting the same until this transaction ends, so that two bookings
    /// cannot both take the last place. `what` is a word such as [`Of::lock`] gives.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if another transaction counts it for too long.
    pub async fn lock_count(&mut self, what: &str) -> Result<(), StorageError> {
        self.alone_with(|| Key::Count(what.to_owned())).await?;
        self.query(LOCK).bind(what).all().await.map(drop)
    }

    /// Bookings of other chains that may count, those that start last first: one more than
    /// [`OTHERS_MAX`] if there are too many.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn other_bookings(
        &mut self,
        wanted: &Wanted,
        but_of: ChainId,
    ) -> Result<Vec<BookingRow>, StorageError> {
        let (least, most) = (Timestamp::MIN, Timestamp::MAX);
        let (from, until) = (wanted.from, wanted.until);
        let (starts, ends_after, asked) = match wanted.measured {
            Measured::Start => ((from, until), least, (least, most)),
            Measured::Part => ((least, until), from, (least, most)),
            Measured::Asked => ((least, most), least, (from, until)),
        };
        let list = match &wanted.of {
            Of::Booker(owner) => self.query(OF_BOOKER).bind(owner),
            Of::Domain(domain) => self.query(OF_DOMAIN).bind(domain),
            Of::EventType(name) => self.query(OF_EVENT_TYPE).bind(name),
        };
        let list = list.bind(but_of).bind(starts.0).bind(starts.1);
        let list = list.bind(ends_after).bind(asked.0).bind(asked.1);
        let list = list.bind(OTHERS_MAX as i64 + 1);
        list.all().await?.iter().map(booking).collect()
    }

    /// How many bookings of other chains that stand, or stood until they were over, have used a code.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn uses_of_code(&mut self, code: &str, but_of: ChainId) -> Result<i64, StorageError> {
        let uses = self.query(USES).bind(code).bind(but_of);
        uses.one().await?.get("uses")
    }

    /// Notes that a booking uses a code, once.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn use_code(
        &mut self,
        code: &str,
        source: &SourceName,
        unit: &UnitKey,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let note = self.query(USE).bind(code).bind(source);
        let note = note.bind(&unit.uid).bind(&unit.seat).bind(now);
        note.run().await.map(drop)
    }
}
