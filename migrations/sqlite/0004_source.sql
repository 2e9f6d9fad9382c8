-- When bookgate began to look after each source: what was booked before that is none of its business
-- unless a webhook says so.
CREATE TABLE source (
    name          TEXT PRIMARY KEY,
    first_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO source (name, first_seen_at)
    SELECT source, MIN(created_at) FROM chain GROUP BY source;
