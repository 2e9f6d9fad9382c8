-- Several daemons on one store: who is alive, and which of them runs what has to be run by one.

CREATE TABLE instance (
    id         TEXT PRIMARY KEY,                 -- new with every start
    host       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Work on a schedule: one row for each kind, held by one instance at a time.
CREATE TABLE job (
    name       TEXT PRIMARY KEY,
    due_at     INTEGER NOT NULL,
    holder     TEXT,                             -- the instance that runs it; NULL: nobody
    fence      INTEGER NOT NULL DEFAULT 0,       -- goes up with every run: who was replaced is refused
    held_until INTEGER,
    position   INTEGER NOT NULL DEFAULT 0,       -- how far it has got, where it goes through a table
    ended_at   INTEGER,                          -- the last run
    report     TEXT                              -- what the last run did, as JSON
) STRICT, WITHOUT ROWID;
