-- Rows of scan_change, in video_scan_change's order of columns.
COPY scan_change (id, size_bytes, modified_at, etag, reason) FROM STDIN (FORMAT binary)
