-- What was found now takes the place of what was found before. Scans the new rows; video_media by its key, in its order, so that two
-- that store the same videos wait for each other instead of deadlocking.
INSERT INTO video_media (video_id, etag, checked_at, duration_ms, width, height, container, codec, content_type, refusal)
SELECT video_id, etag, checked_at, duration_ms, width, height, container, codec, content_type, refusal
  FROM media_new ORDER BY video_id
ON CONFLICT (video_id) DO UPDATE
   SET etag = excluded.etag, checked_at = excluded.checked_at, duration_ms = excluded.duration_ms, width = excluded.width,
       height = excluded.height, container = excluded.container, codec = excluded.codec, content_type = excluded.content_type,
       refusal = excluded.refusal
