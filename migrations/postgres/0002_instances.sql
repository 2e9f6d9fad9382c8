-- Several daemons on one store: who is alive, and which of them runs what has to be run by one.

CREATE TABLE instance (
    id         TEXT COLLATE "C" PRIMARY KEY,                 -- new with every start
    host       TEXT COLLATE "C"    NOT NULL,
    version    TEXT COLLATE "C"    NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

-- Work on a schedule: one row for each kind, held by one instance at a time.
CREATE TABLE job (
    name       TEXT COLLATE "C" PRIMARY KEY,
    due_at     BIGINT NOT NULL,
    holder     TEXT COLLATE "C",                             -- the instance that runs it; NULL: nobody
    fence      BIGINT NOT NULL DEFAULT 0,       -- goes up with every run: who was replaced is refused
    held_until BIGINT,
    position   BIGINT NOT NULL DEFAULT 0,       -- how far it has got, where it goes through a table
    ended_at   BIGINT,                          -- the last run
    report     TEXT COLLATE "C"                              -- what the last run did, as JSON
);
