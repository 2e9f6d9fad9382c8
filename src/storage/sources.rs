//! When bookgate began to look after each source, how far reconciliation has got with it, and since when
//! its provider has been failing.

use super::backend::{Row, Sql, Tx};
use super::error::StorageError;
use super::records::{KnownBooking, SourceRow};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{SourceName, Uid};

// The update changes nothing; without one, what is known would not be returned.
const MEET: Sql = Sql::same(
    "INSERT INTO source (name, first_seen_at) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET name = excluded.name
     RETURNING first_seen_at, surveyed_at, reread_after, failing_since",
);
const FIND: Sql = Sql::same(
    "SELECT first_seen_at, surveyed_at, reread_after, failing_since FROM source WHERE name = $1",
);
const NAMES: Sql = Sql::same("SELECT name FROM source ORDER BY name");
const SURVEYED: Sql = Sql::same("UPDATE source SET surveyed_at = $2 WHERE name = $1");
const REREAD: Sql = Sql::same("UPDATE source SET reread_after = $2 WHERE name = $1");
// Of several daemons that find out at the same time, one changes the row.
const FAILING: Sql =
    Sql::same("UPDATE source SET failing_since = $2 WHERE name = $1 AND failing_since IS NULL");
const RECOVERED: Sql =
    Sql::same("UPDATE source SET failing_since = NULL WHERE name = $1 AND failing_since = $2");
// Several seats are one booking to whoever reads it.
const OPEN_TO_CHANGE: Sql = Sql::same(
    "SELECT uid, MAX(number) AS number FROM booking
     WHERE source = $1 AND uid > $2
         AND (status IN ('pending_payment', 'pending', 'accepted') AND end_at > $3
             OR status IN ('cancelled', 'rejected') AND end_at > $4)
     GROUP BY uid ORDER BY uid LIMIT $5",
);
const HELD_PAST: Sql = Sql::same(
    "SELECT hold.uid AS uid, MAX(booking.number) AS number FROM hold
     JOIN booking ON booking.source = $1 AND booking.uid = hold.uid AND booking.seat = hold.seat
     WHERE hold.state = 'held' AND hold.uid > $2 AND booking.end_at < $3
     GROUP BY hold.uid ORDER BY hold.uid LIMIT $4",
);

impl Tx {
    /// The sources that were ever met, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn source_names(&mut self) -> Result<Vec<SourceName>, StorageError> {
        let rows = self.query(NAMES).all().await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// What is known of a source, if it was ever met.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn source(&mut self, name: &SourceName) -> Result<Option<SourceRow>, StorageError> {
        let row = self.query(FIND).bind(name).optional().await?;
        row.as_ref().map(source).transpose()
    }

    /// What is known of a source; it is looked after since now, if it is met for the first time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn meet_source(
        &mut self,
        name: &SourceName,
        now: Timestamp,
    ) -> Result<SourceRow, StorageError> {
        let row = self.query(MEET).bind(name).bind(now).one().await?;
        source(&row)
    }

    /// Notes that the provider of a source that was met has been failing since then. `false` if that is
    /// known already.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn source_fails(
        &mut self,
        name: &SourceName,
        since: Timestamp,
    ) -> Result<bool, StorageError> {
        let update = self.query(FAILING).bind(name).bind(since);
        Ok(update.run().await? == 1)
    }

    /// Notes that the provider of a source that has been failing since then answers again. `false` if
    /// that is known already.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn source_recovers(
        &mut self,
        name: &SourceName,
        since: Timestamp,
    ) -> Result<bool, StorageError> {
        let update = self.query(RECOVERED).bind(name).bind(since);
        Ok(update.run().await? == 1)
    }

    /// Notes that a survey of a source that began at `begun_at` came to its end.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn note_survey(
        &mut self,
        name: &SourceName,
        begun_at: Timestamp,
    ) -> Result<(), StorageError> {
        let update = self.query(SURVEYED).bind(name).bind(begun_at);
        update.run().await.map(drop)
    }

    /// Notes which booking of a source was read again last; `None` if the next is the first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn note_reread(
        &mut self,
        name: &SourceName,
        last: Option<&Uid>,
    ) -> Result<(), StorageError> {
        let update = self.query(REREAD).bind(name).bind(last);
        update.run().await.map(drop)
    }

    /// Bookings that may still change at the provider: those that stand or wait, unless they ended before
    /// `ended_after`, and those that are called off, before they would have ended. In the order of their
    /// ids, from behind `after` on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn bookings_open_to_change(
        &mut self,
        source: &SourceName,
        after: Option<&Uid>,
        ended_after: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<KnownBooking>, StorageError> {
        let open = self.query(OPEN_TO_CHANGE).bind(source);
        let open = open.bind(after.map_or("", Uid::as_str)).bind(ended_after);
        let rows = open.bind(now).bind(i64::from(limit)).all().await?;
        rows.iter().map(known).collect()
    }

    /// Bookings that ended before `ended_before` and for which credit is still held. In the order of their
    /// ids, from behind `after` on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn bookings_held_past(
        &mut self,
        source: &SourceName,
        after: Option<&Uid>,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<KnownBooking>, StorageError> {
        let held = self.query(HELD_PAST).bind(source);
        let held = held.bind(after.map_or("", Uid::as_str)).bind(ended_before);
        let rows = held.bind(i64::from(limit)).all().await?;
        rows.iter().map(known).collect()
    }
}

fn known(row: &Row) -> Result<KnownBooking, StorageError> {
    Ok(KnownBooking {
        uid: row.get("uid")?,
        number: row.get("number")?,
    })
}

fn source(row: &Row) -> Result<SourceRow, StorageError> {
    Ok(SourceRow {
        first_seen_at: row.get("first_seen_at")?,
        surveyed_at: row.get("surveyed_at")?,
        reread_after: row.get("reread_after")?,
        failing_since: row.get("failing_since")?,
    })
}
