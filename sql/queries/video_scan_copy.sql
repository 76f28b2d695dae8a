-- Rows of a scan, in video_store_scan_add's order of columns.
COPY scan_video (name, size_bytes, modified_at, etag, reason) FROM STDIN (FORMAT binary)
