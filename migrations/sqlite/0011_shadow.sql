-- What a decision was made from, whole: the set of policies that was in force, with the files of lists that
-- they name. Beside that, what policies that are only tried out would have decided.
CREATE TABLE policy_set (
    hash          TEXT PRIMARY KEY,
    parts         TEXT    NOT NULL,              -- JSON: each policy's file, hash (policy_text) and lists
    first_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_list (
    digest        TEXT PRIMARY KEY,
    entries       TEXT,                          -- a line each; NULL: too many to be kept
    first_used_at INTEGER NOT NULL
) STRICT;

ALTER TABLE decision ADD COLUMN set_hash TEXT;   -- NULL: no policy was asked
ALTER TABLE decision ADD COLUMN verdict TEXT;    -- JSON: what they said, before price, host and series

CREATE TABLE shadow_verdict (
    decision_id INTEGER NOT NULL REFERENCES decision (id),
    policy_id   TEXT    NOT NULL,
    policy_hash TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('accept', 'reject', 'defer')),
    failed      TEXT    NOT NULL,                -- JSON: the criteria that a refusal rests on
    message     TEXT,
    note        TEXT,
    unit        TEXT,
    cost        INTEGER NOT NULL DEFAULT 0 CHECK (cost >= 0),
    trace       TEXT    NOT NULL,
    PRIMARY KEY (decision_id, policy_id)
) STRICT;
