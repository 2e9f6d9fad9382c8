-- As migrations/sqlite/0006_reconcile.sql.
ALTER TABLE source ADD COLUMN surveyed_at BIGINT;
ALTER TABLE source ADD COLUMN reread_after TEXT COLLATE "C";
