-- As migrations/sqlite/0004_source.sql.
CREATE TABLE source (
    name          TEXT COLLATE "C" PRIMARY KEY,
    first_seen_at BIGINT NOT NULL
);

INSERT INTO source (name, first_seen_at)
    SELECT source, MIN(created_at) FROM chain GROUP BY source;
