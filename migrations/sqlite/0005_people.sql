-- What people do: dead letters they have laid aside, webhooks they have read again, and every change
-- they make.

ALTER TABLE command ADD COLUMN purged_at INTEGER;  -- of a dead one: a person has seen to it
DROP INDEX command_dead;
CREATE INDEX command_dead ON command (id) WHERE state = 'dead' AND purged_at IS NULL;

ALTER TABLE delivery ADD COLUMN replayed_at INTEGER;  -- when a person last had it read again

-- One row for each change, written in the transaction that makes it.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,                      -- 'token:NAME' or 'cli'
    action  TEXT    NOT NULL,                      -- such as 'dead_letter.purge'
    target  TEXT    NOT NULL,                      -- on what, such as 'calcom/91'
    detail  TEXT,                                  -- what a person wants to know of it beside
    request TEXT                                   -- the id of the request that ordered it
) STRICT;
