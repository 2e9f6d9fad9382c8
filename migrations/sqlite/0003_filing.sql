-- A delivery is stored first, many to a commit, and understood and filed under its chain afterwards:
-- whoever sent it waits for the first only.

ALTER TABLE delivery ADD COLUMN filed_at INTEGER;
UPDATE delivery SET filed_at = received_at;

CREATE INDEX delivery_unfiled ON delivery (id) WHERE filed_at IS NULL;
DROP INDEX delivery_to_look_at;
CREATE INDEX delivery_to_look_at ON delivery (id)
    WHERE state IN ('unparsed', 'quarantined') AND filed_at IS NOT NULL;
