-- As migrations/sqlite/0008_waiting.sql.
CREATE INDEX booking_deferred ON booking (start_at, source, uid, seat) WHERE outcome = 'defer';
