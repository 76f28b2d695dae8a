-- The session's table for what a scan lists.
CREATE TEMPORARY TABLE IF NOT EXISTS scan_video (
    name        text COLLATE "C" NOT NULL,
    size_bytes  int8 NOT NULL,
    modified_at timestamptz NOT NULL,
    etag        text COLLATE "C" NOT NULL,
    reason      text
)
