//! The summary line of each booking, for lists.

use super::backend::{Query, Row, Sql, Tx};
use super::error::StorageError;
use super::records::{BookingCount, BookingCursor, BookingFilter, BookingRow};
use super::words::from_word_or_null;
use crate::domain::clock::Timestamp;
use crate::domain::decision::Outcome;
use crate::domain::ids::{ChainId, SourceName};
use crate::domain::owner::Owner;
use crate::domain::timeline::EndedBy;

// What is no longer known of a booking that retention has closed stays as the line has it.
const PUT: Sql = Sql::same(
    "INSERT INTO booking (source, uid, seat, chain_id, number, status, outcome, decision_id, settled,
         booker, event_type, start_at, end_at, updated_at, domain, event_type_id, asked_at, ended_at,
         ended_by, no_show)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
         $20)
     ON CONFLICT (source, uid, seat) DO UPDATE SET chain_id = excluded.chain_id,
         number = COALESCE(excluded.number, booking.number), status = excluded.status,
         outcome = excluded.outcome, decision_id = excluded.decision_id,
         settled = excluded.settled, booker = COALESCE(excluded.booker, booking.booker),
         event_type = COALESCE(excluded.event_type, booking.event_type),
         start_at = COALESCE(excluded.start_at, booking.start_at),
         end_at = COALESCE(excluded.end_at, booking.end_at), updated_at = excluded.updated_at,
         domain = COALESCE(excluded.domain, booking.domain),
         event_type_id = COALESCE(excluded.event_type_id, booking.event_type_id),
         asked_at = COALESCE(excluded.asked_at, booking.asked_at),
         ended_at = COALESCE(excluded.ended_at, booking.ended_at),
         ended_by = COALESCE(excluded.ended_by, booking.ended_by),
         no_show = COALESCE(excluded.no_show, booking.no_show)",
).in_sets();
const BY_UID: Sql =
    Sql::same("SELECT * FROM booking WHERE source = $1 AND uid = $2 ORDER BY seat LIMIT 1");
const BY_NUMBER: Sql = Sql::same(
    "SELECT * FROM booking WHERE source = $1 AND number = $2
     ORDER BY updated_at DESC, uid, seat LIMIT 1",
);
const COUNT: Sql = Sql::same(
    "SELECT COUNT(*) AS all_of_them,
         COUNT(CASE WHEN status = 'accepted' THEN 1 END) AS standing
     FROM booking WHERE source = $1 AND uid >= $2 AND uid < $3",
);
const OF_CHAIN: Sql =
    Sql::same("SELECT * FROM booking WHERE chain_id = $1 ORDER BY start_at, uid, seat");
/// A list of bookings that meet a condition of their own, which is followed by AND; what a filter leaves out is
/// NULL.
macro_rules! list_of {
    ($condition:literal) => {
        Sql::same(concat!(
            "SELECT * FROM booking
     WHERE ",
            $condition,
            " (updated_at, source, uid, seat) < ($1, $2, $3, $4)
         AND (CAST($5 AS TEXT) IS NULL OR source = $5)
         AND (CAST($6 AS TEXT) IS NULL OR status = $6)
         AND (CAST($7 AS TEXT) IS NULL OR outcome = $7)
         AND (CAST($9 AS BIGINT) IS NULL OR updated_at >= $9)
         AND (CAST($10 AS BIGINT) IS NULL OR updated_at < $10)
         AND (CAST($11 AS BIGINT) IS NULL OR start_at >= $11)
         AND (CAST($12 AS BIGINT) IS NULL OR start_at < $12)
     ORDER BY updated_at DESC, source DESC, uid DESC, seat DESC LIMIT $8"
        ))
    };
}

const LIST: Sql = list_of!("");
// What is read from an index of its own has a statement of its own: the list of one booker, and of what waits
// for a person, which is little of all there is and asked for most.
const LIST_OF_BOOKER: Sql = list_of!("booker = $13 AND");
const LIST_DEFERRED: Sql = list_of!("outcome = 'defer' AND");

impl Tx {
    /// How many bookings of a source have an id that begins so, and how many of them stand.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn count_bookings(
        &mut self,
        source: &SourceName,
        uid_prefix: &str,
    ) -> Result<BookingCount, StorageError> {
        // Behind every id that begins so: no id has this sign.
        let behind = format!("{uid_prefix}\u{10ffff}");
        let count = self.query(COUNT).bind(source).bind(uid_prefix);
        let row = count.bind(behind).one().await?;
        Ok(BookingCount {
            standing: row.get("standing")?,
            all: row.get("all_of_them")?,
        })
    }

    /// Writes the lines of these bookings, new or changed. Other lines of the chain stay.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn put_bookings(
        &mut self,
        chain: ChainId,
        rows: &[BookingRow],
    ) -> Result<(), StorageError> {
        for row in rows {
            let put = self.query(PUT).bind(&row.source).bind(&row.uid);
            let put = put.bind(&row.seat).bind(chain).bind(row.number);
            let put = put.bind(&row.status);
            let put = put.bind(row.outcome.map(|outcome| outcome.as_str()));
            let put = put.bind(row.decision).bind(row.settled);
            let put = put.bind(row.booker.as_ref()).bind(&row.event_type);
            let put = put.bind(row.start).bind(row.end).bind(row.updated_at);
            let put = put.bind(row.booker.as_ref().map(Owner::domain));
            let put = put.bind(row.event_type_id).bind(row.asked_at);
            let put = put
                .bind(row.ended_at)
                .bind(row.ended_by.map(EndedBy::as_str));
            let put = put.bind(row.no_show);
            put.run().await?;
        }
        Ok(())
    }

    /// The booking that a person calls `reference`: its uid, or its number in digits. Of several
    /// seats the first; of several bookings with one number the one that changed last.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn find_booking(
        &mut self,
        source: &SourceName,
        reference: &str,
    ) -> Result<Option<BookingRow>, StorageError> {
        let by_uid = self.query(BY_UID).bind(source).bind(reference);
        if let Some(row) = by_uid.optional().await? {
            return booking(&row).map(Some);
        }
        let Ok(number) = reference.parse::<i64>() else {
            return Ok(None);
        };
        let row = self.query(BY_NUMBER).bind(source).bind(number);
        row.optional().await?.as_ref().map(booking).transpose()
    }

    /// All bookings of a chain, by their start.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn bookings_of_chain(
        &mut self,
        chain: ChainId,
    ) -> Result<Vec<BookingRow>, StorageError> {
        let rows = self.query(OF_CHAIN).bind(chain).all().await?;
        rows.iter().map(booking).collect()
    }

    /// Bookings that pass the filter, the last changed first, from behind `after` on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list_bookings(
        &mut self,
        filter: &BookingFilter,
        after: Option<&BookingCursor>,
        limit: u32,
    ) -> Result<Vec<BookingRow>, StorageError> {
        let sql = match (&filter.booker, filter.outcome) {
            (Some(_), _) => LIST_OF_BOOKER,
            (None, Some(Outcome::Defer)) => LIST_DEFERRED,
            (None, _) => LIST,
        };
        let list = behind(self.query(sql), after).bind(filter.source.as_ref());
        let list = list.bind(&filter.status);
        let list = list.bind(filter.outcome.map(|outcome| outcome.as_str()));
        let list = list.bind(i64::from(limit));
        let list = list.bind(filter.since).bind(filter.until);
        let list = list.bind(filter.starts_since).bind(filter.starts_until);
        let list = match &filter.booker {
            Some(booker) => list.bind(booker),
            None => list,
        };
        list.all().await?.iter().map(booking).collect()
    }
}

/// Binds the place in the list: before everything if there is none.
fn behind<'t>(query: Query<'t>, after: Option<&BookingCursor>) -> Query<'t> {
    match after {
        Some(after) => {
            let query = query.bind(after.updated_at).bind(&after.source);
            query.bind(&after.uid).bind(&after.seat)
        }
        None => query.bind(Timestamp::MAX).bind("").bind("").bind(""),
    }
}

pub(super) fn booking(row: &Row) -> Result<BookingRow, StorageError> {
    Ok(BookingRow {
        source: row.get("source")?,
        uid: row.get("uid")?,
        seat: row.get("seat")?,
        chain: row.get("chain_id")?,
        number: row.get("number")?,
        status: row.get("status")?,
        outcome: from_word_or_null(row, "outcome")?,
        decision: row.get("decision_id")?,
        settled: row.get("settled")?,
        booker: row.get("booker")?,
        event_type: row.get("event_type")?,
        start: row.get("start_at")?,
        end: row.get("end_at")?,
        updated_at: row.get("updated_at")?,
        event_type_id: row.get("event_type_id")?,
        asked_at: row.get("asked_at")?,
        ended_at: row.get("ended_at")?,
        ended_by: from_word_or_null(row, "ended_by")?,
        no_show: row.get("no_show")?,
    })
}
