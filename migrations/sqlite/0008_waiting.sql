-- What waits for a person is looked at often, and is little among all that was ever decided.
CREATE INDEX booking_deferred ON booking (start_at, source, uid, seat) WHERE outcome = 'defer';
