-- As migrations/sqlite/0011_shadow.sql.
CREATE TABLE policy_set (
    hash          TEXT PRIMARY KEY,
    parts         TEXT    NOT NULL,
    first_used_at BIGINT  NOT NULL
);

CREATE TABLE policy_list (
    digest        TEXT PRIMARY KEY,
    entries       TEXT,
    first_used_at BIGINT  NOT NULL
);

ALTER TABLE decision ADD COLUMN set_hash TEXT;
ALTER TABLE decision ADD COLUMN verdict TEXT;

CREATE TABLE shadow_verdict (
    decision_id BIGINT  NOT NULL REFERENCES decision (id),
    policy_id   TEXT    NOT NULL,
    policy_hash TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('accept', 'reject', 'defer')),
    failed      TEXT    NOT NULL,
    message     TEXT,
    note        TEXT,
    unit        TEXT,
    cost        BIGINT  NOT NULL DEFAULT 0 CHECK (cost >= 0),
    trace       TEXT    NOT NULL,
    PRIMARY KEY (decision_id, policy_id)
);
