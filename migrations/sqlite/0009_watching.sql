-- What is watched. Since when a source's provider has been failing, so that several daemons tell of it
-- once; and what waits, so that counting it costs nothing.
ALTER TABLE source ADD COLUMN failing_since INTEGER;  -- NULL: it answers, as far as is known

CREATE INDEX booking_without_decision ON booking (updated_at) WHERE status = 'pending' AND outcome IS NULL;
CREATE INDEX notice_given_up ON notice (id) WHERE due_at IS NULL;
