-- Notices on their way to those who asked for them: one row for each receiver, written in the
-- transaction that makes what it tells of, and removed once the receiver has taken it.

CREATE TABLE notice (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver   TEXT    NOT NULL,                 -- the name in [notices.NAME]
    message    TEXT    NOT NULL,                 -- webhook-id: the same at every try
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    due_at     INTEGER,                          -- while it is being sent: when it counts as not sent;
                                                 -- NULL: given up
    tries      INTEGER NOT NULL DEFAULT 0,       -- also the fence: whoever sends it has its own number
    detail     TEXT,                             -- what came of the last try
    UNIQUE (receiver, message)
) STRICT;
CREATE INDEX notice_due ON notice (receiver, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_age ON notice (created_at);
