-- The session's table through which a plan passes: what was considered, numbered from 1, the videos that are taken first, in key order.
CREATE TEMPORARY TABLE IF NOT EXISTS plan_video (
    n           int4 PRIMARY KEY,
    id          int8 NOT NULL,
    size_bytes  int8 NOT NULL,
    duration_ms int8,                         -- NULL: not known
    looked      bool NOT NULL,                -- what the object itself says is known at this ETag
    name        text NOT NULL COLLATE "C",
    etag        text NOT NULL COLLATE "C",
    reason      text                          -- why it is not taken; NULL: it is
)
