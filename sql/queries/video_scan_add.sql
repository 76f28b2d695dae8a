-- Videos that a scan found new, in video_scan_add's order of columns.
COPY video (id, prefix_id, size_bytes, modified_at, name, etag, reason) FROM STDIN (FORMAT binary)
