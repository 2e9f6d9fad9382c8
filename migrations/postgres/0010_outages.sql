-- As migrations/sqlite/0010_outages.sql.
ALTER TABLE source ADD COLUMN failing_since BIGINT;
