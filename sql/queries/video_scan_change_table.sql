-- The session's table for what a scan found changed or gone, until the transaction ends.
CREATE TEMPORARY TABLE IF NOT EXISTS scan_change (
    id          int8 NOT NULL,
    size_bytes  int8,               -- NULL: gone
    modified_at timestamptz,
    etag        text,
    reason      text
) ON COMMIT DELETE ROWS
