-- As migrations/sqlite/0010_watching.sql.
ALTER TABLE source ADD COLUMN failing_since BIGINT;

CREATE INDEX booking_without_decision ON booking (updated_at) WHERE status = 'pending' AND outcome IS NULL;
CREATE INDEX booking_left_to_person ON booking (start_at)
    WHERE outcome = 'defer' AND status IN ('pending', 'accepted');
CREATE INDEX notice_given_up ON notice (id) WHERE due_at IS NULL;
