-- The list of what waits for a person, the last changed first, is read from its own few lines.
CREATE INDEX booking_deferred_by_time ON booking (updated_at, source, uid, seat) WHERE outcome = 'defer';
