-- The store of bookgate. Times are microseconds since 1970 UTC, amounts are minor units, JSON is text.
-- Column types are those that SQLite (STRICT) and PostgreSQL share.

-- What a person calls one booking: all ids that moves have given it.
CREATE TABLE chain (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL,
    merged_into INTEGER REFERENCES chain (id),   -- it turned out to be part of that one
    version     INTEGER NOT NULL DEFAULT 0,      -- goes up with every fact: what a worker has not seen
    due_at      INTEGER,                         -- when a worker shall look at it; NULL: nothing to do,
                                                 -- or nothing new since it was leased
    lease_owner TEXT,
    lease_fence INTEGER NOT NULL DEFAULT 0,      -- goes up with every lease: who holds an old one is refused
    lease_until INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX chain_due ON chain (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX chain_leased ON chain (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX chain_merged ON chain (merged_into) WHERE merged_into IS NOT NULL;

-- The inbox: every verified delivery, as it came.
CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT    NOT NULL,
    digest       BLOB    NOT NULL,               -- 16 bytes of SHA-256 over source and raw body
    received_at  INTEGER NOT NULL,
    content_type TEXT,
    body         BLOB,                           -- NULL once retention has removed it
    state        TEXT    NOT NULL CHECK (state IN ('event', 'ignored', 'unparsed', 'quarantined')),
    trigger      TEXT,
    note         TEXT,                           -- why it is unparsed or quarantined
    chain_id     INTEGER REFERENCES chain (id),
    UNIQUE (digest)
) STRICT;
CREATE INDEX delivery_by_chain ON delivery (chain_id) WHERE chain_id IS NOT NULL;
CREATE INDEX delivery_to_look_at ON delivery (id) WHERE state IN ('unparsed', 'quarantined');

-- Every name by which a chain may be found: 'uid:…', 'id:91', 'series:…'.
CREATE TABLE chain_key (
    source   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    chain_id INTEGER NOT NULL REFERENCES chain (id),
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX chain_key_by_chain ON chain_key (chain_id);

-- What is known of a chain: translated events, and readings of the provider's API.
CREATE TABLE fact (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chain_id    INTEGER NOT NULL REFERENCES chain (id),
    delivery_id INTEGER REFERENCES delivery (id),
    received_at INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    UNIQUE (delivery_id)
) STRICT;
CREATE INDEX fact_by_chain ON fact (chain_id, id);

-- The text of every policy that has decided something.
CREATE TABLE policy_text (
    hash          TEXT PRIMARY KEY,
    name          TEXT    NOT NULL,
    text          TEXT    NOT NULL,
    first_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One decision for each revision (id, seat, times); a person may add a later round to a deferred one.
CREATE TABLE decision (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chain_id    INTEGER NOT NULL REFERENCES chain (id),
    source      TEXT    NOT NULL,
    uid         TEXT    NOT NULL,
    seat        TEXT    NOT NULL DEFAULT '',
    start_at    INTEGER NOT NULL,
    end_at      INTEGER NOT NULL,
    round       INTEGER NOT NULL DEFAULT 1,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('accept', 'reject', 'defer')),
    decided_by  TEXT    NOT NULL,                -- 'policy', 'host', 'carried', or 'person:NAME'
    policy_id   TEXT,
    policy_hash TEXT,
    message     TEXT,                            -- for the booker
    note        TEXT,                            -- for the admin
    unit        TEXT,
    cost        INTEGER NOT NULL DEFAULT 0 CHECK (cost >= 0),
    terms       TEXT    NOT NULL,
    facts       TEXT    NOT NULL,
    trace       TEXT    NOT NULL,
    engine      TEXT    NOT NULL,                -- the version of bookgate that decided
    decided_at  INTEGER NOT NULL,
    UNIQUE (source, uid, seat, start_at, end_at, round)
) STRICT;
CREATE INDEX decision_by_chain ON decision (chain_id);

-- The outbox: what the provider is to be told.
CREATE TABLE command (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chain_id    INTEGER NOT NULL REFERENCES chain (id),
    decision_id INTEGER REFERENCES decision (id),
    uid         TEXT    NOT NULL,
    seat        TEXT    NOT NULL DEFAULT '',
    number      INTEGER,
    action      TEXT    NOT NULL CHECK (action IN ('confirm', 'decline', 'cancel')),
    purpose     TEXT    NOT NULL CHECK (purpose IN ('decision', 'compensation')),
    reason      TEXT,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'done', 'obsolete', 'dead')),
    tries       INTEGER NOT NULL DEFAULT 0,      -- attempts that count against the schedule
    due_at      INTEGER NOT NULL,
    note        TEXT,                            -- why it is obsolete or dead
    created_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX command_by_chain ON command (chain_id);
CREATE INDEX command_dead ON command (id) WHERE state = 'dead';

-- Every call, written down before it is made. answered_at NULL: nobody knows yet.
CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    command_id  INTEGER NOT NULL REFERENCES command (id),
    number      INTEGER NOT NULL,
    worker      TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    answered_at INTEGER,
    result      TEXT CHECK (result IN ('ok', 'settled', 'not_needed', 'limited', 'transient', 'rejected', 'unknown')),
    http_status INTEGER,
    detail      TEXT,
    UNIQUE (command_id, number)
) STRICT;

-- Where each booking (or seat) stands: a summary of its chain, kept for lists and for ledger verify.
CREATE TABLE booking (
    source      TEXT    NOT NULL,
    uid         TEXT    NOT NULL,
    seat        TEXT    NOT NULL DEFAULT '',
    chain_id    INTEGER NOT NULL REFERENCES chain (id),
    number      INTEGER,
    status      TEXT    NOT NULL,
    outcome     TEXT,
    decision_id INTEGER REFERENCES decision (id),
    settled     INTEGER NOT NULL,                -- 1: nothing is left to do for it
    booker      TEXT,
    event_type  TEXT,
    start_at    INTEGER,
    end_at      INTEGER,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (source, uid, seat)
) STRICT, WITHOUT ROWID;
CREATE INDEX booking_by_chain ON booking (chain_id);
CREATE INDEX booking_by_time ON booking (updated_at, source, uid, seat);
CREATE INDEX booking_by_booker ON booking (booker, updated_at, source, uid, seat);
CREATE INDEX booking_by_number ON booking (source, number) WHERE number IS NOT NULL;

-- The ledger: double entry, integer minor units.
CREATE TABLE unit (
    code  TEXT PRIMARY KEY,
    scale INTEGER NOT NULL CHECK (scale BETWEEN 0 AND 9)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    unit         TEXT    NOT NULL REFERENCES unit (code),
    kind         TEXT    NOT NULL CHECK (kind IN ('booker', 'issued', 'spent', 'expired', 'adjusted', 'fees')),
    owner        TEXT    NOT NULL,               -- normalised address; '' for the house
    posted       INTEGER NOT NULL DEFAULT 0,
    held         INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    credit_limit INTEGER NOT NULL DEFAULT 0 CHECK (credit_limit >= 0),
    status       TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'frozen', 'closed')),
    tracked      INTEGER NOT NULL,               -- 1: running balance kept; the house's is a sum
    version      INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    UNIQUE (owner, unit, kind),
    CHECK (tracked = CASE WHEN kind = 'booker' THEN 1 ELSE 0 END),
    CHECK (tracked = 0 OR posted - held + credit_limit >= 0)
) STRICT;

CREATE TABLE txn (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL CHECK (kind IN ('topup', 'hold', 'capture', 'release', 'refund', 'carry',
                                                 'expire', 'adjust', 'reverse')),
    actor       TEXT    NOT NULL,                -- 'token:NAME' or 'gate'
    reason      TEXT,
    decision_id INTEGER REFERENCES decision (id),
    metadata    TEXT,
    recorded_at INTEGER NOT NULL
) STRICT;

-- Credit set aside for one decided booking.
CREATE TABLE hold (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  INTEGER NOT NULL REFERENCES account (id),
    chain_id    INTEGER NOT NULL REFERENCES chain (id),
    decision_id INTEGER NOT NULL REFERENCES decision (id),
    uid         TEXT    NOT NULL,
    seat        TEXT    NOT NULL DEFAULT '',
    amount      INTEGER NOT NULL CHECK (amount > 0),
    captured    INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0),
    released    INTEGER NOT NULL DEFAULT 0 CHECK (released >= 0),
    refunded    INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    state       TEXT    NOT NULL CHECK (state IN ('held', 'captured', 'released', 'carried')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (decision_id),
    CHECK (captured + released <= amount),
    CHECK (refunded <= captured),
    CHECK (state = 'held' OR captured + released = amount)
) STRICT;
CREATE INDEX hold_by_chain ON hold (chain_id);
CREATE INDEX hold_open ON hold (account_id) WHERE state = 'held';

-- One movement of one account. House accounts have no running balance, so no `_after`.
CREATE TABLE entry (
    txn_id          INTEGER NOT NULL REFERENCES txn (id),
    line            INTEGER NOT NULL,
    account_id      INTEGER NOT NULL REFERENCES account (id),
    layer           TEXT    NOT NULL CHECK (layer IN ('posted', 'held')),
    amount          INTEGER NOT NULL CHECK (amount <> 0),
    hold_id         INTEGER REFERENCES hold (id),
    posted_after    INTEGER,                     -- of tracked accounts, after the whole transaction
    held_after      INTEGER,
    account_version INTEGER,                     -- one step for each transaction, shared by its lines
    PRIMARY KEY (txn_id, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_account ON entry (account_id, txn_id, line);
CREATE INDEX entry_by_hold ON entry (hold_id) WHERE hold_id IS NOT NULL;

-- An accepted booking that its booker could not pay for, let stand all the same.
CREATE TABLE waiver (
    decision_id INTEGER PRIMARY KEY REFERENCES decision (id),
    chain_id    INTEGER NOT NULL REFERENCES chain (id),
    unit        TEXT    NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    reason      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX waiver_by_chain ON waiver (chain_id);

-- Answers to requests that carried an Idempotency-Key.
CREATE TABLE idempotency (
    scope        TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    request_hash BLOB    NOT NULL,
    request      TEXT    NOT NULL,               -- canonical, to tell which field differs
    status       INTEGER NOT NULL,
    outcome      TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
