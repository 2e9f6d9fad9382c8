-- What rules about other bookings look at, what is said of accounts by their admins, and what can be used
-- only so many times.
ALTER TABLE booking ADD COLUMN domain TEXT;           -- of the booker's address
ALTER TABLE booking ADD COLUMN event_type_id INTEGER;
ALTER TABLE booking ADD COLUMN asked_at INTEGER;      -- by the provider's clock
ALTER TABLE booking ADD COLUMN ended_at INTEGER;      -- when it was called off or refused
ALTER TABLE booking ADD COLUMN ended_by TEXT;         -- 'us', 'booker', 'host' or 'unknown'
ALTER TABLE booking ADD COLUMN no_show INTEGER;       -- 1: somebody did not come
UPDATE booking SET domain = SUBSTR(booker, INSTR(booker, '@') + 1) WHERE booker IS NOT NULL;
CREATE INDEX booking_by_domain ON booking (domain, start_at);
CREATE INDEX booking_by_event_type ON booking (event_type, start_at);

-- Words that admins put to an account, for policies to ask for.
CREATE TABLE tag (
    owner    TEXT    NOT NULL,                        -- normalised address
    tag      TEXT    NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (owner, tag)
) STRICT, WITHOUT ROWID;

-- What accepted bookings have used up, such as one use of an invitation code. It is free again once the
-- booking stands no longer.
CREATE TABLE code_use (
    code    TEXT    NOT NULL,                         -- a digest, never the code itself
    source  TEXT    NOT NULL,
    uid     TEXT    NOT NULL,
    seat    TEXT    NOT NULL DEFAULT '',
    used_at INTEGER NOT NULL,
    PRIMARY KEY (code, source, uid, seat)
) STRICT, WITHOUT ROWID;
