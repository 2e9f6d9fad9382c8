-- As migrations/sqlite/0012_deferred.sql.
CREATE INDEX booking_deferred_by_time ON booking (updated_at, source, uid, seat) WHERE outcome = 'defer';
