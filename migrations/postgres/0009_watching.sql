-- As migrations/sqlite/0009_watching.sql.
ALTER TABLE source ADD COLUMN failing_since BIGINT;

CREATE INDEX booking_without_decision ON booking (updated_at) WHERE status = 'pending' AND outcome IS NULL;
CREATE INDEX notice_given_up ON notice (id) WHERE due_at IS NULL;
