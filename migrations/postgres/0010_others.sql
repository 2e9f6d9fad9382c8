-- As migrations/sqlite/0010_others.sql.
ALTER TABLE booking ADD COLUMN domain TEXT COLLATE "C";
ALTER TABLE booking ADD COLUMN event_type_id BIGINT;
ALTER TABLE booking ADD COLUMN asked_at BIGINT;
ALTER TABLE booking ADD COLUMN ended_at BIGINT;
ALTER TABLE booking ADD COLUMN ended_by TEXT;
ALTER TABLE booking ADD COLUMN no_show BIGINT;
UPDATE booking SET domain = SPLIT_PART(booker, '@', 2) WHERE booker IS NOT NULL;
CREATE INDEX booking_by_domain ON booking (domain, start_at);
CREATE INDEX booking_by_event_type ON booking (event_type, start_at);

CREATE TABLE tag (
    owner    TEXT COLLATE "C" NOT NULL,
    tag      TEXT COLLATE "C" NOT NULL,
    added_at BIGINT           NOT NULL,
    PRIMARY KEY (owner, tag)
);

CREATE TABLE code_use (
    code    TEXT COLLATE "C" NOT NULL,
    source  TEXT COLLATE "C" NOT NULL,
    uid     TEXT COLLATE "C" NOT NULL,
    seat    TEXT COLLATE "C" NOT NULL DEFAULT '',
    used_at BIGINT           NOT NULL,
    PRIMARY KEY (code, source, uid, seat)
);
