-- What was found in videos, in media_store_add's order of columns.
COPY media_new (video_id, etag, checked_at, duration_ms, width, height, container, codec, content_type, refusal)
FROM STDIN (FORMAT binary)
