-- What was found now takes the place of what was found before. Scans the new rows; video_media by its key, in its order, so that two
-- that store the same videos wait for each other instead of deadlocking. Refused ones are noted under their prefix and name, which never
-- change, for the list of them.
INSERT INTO video_media (video_id, etag, checked_at, duration_ms, width, height, container, codec, content_type, refusal,
                         refused_prefix_id, refused_name)
SELECT m.video_id, m.etag, m.checked_at, m.duration_ms, m.width, m.height, m.container, m.codec, m.content_type, m.refusal,
       v.prefix_id, v.name
  FROM media_new m LEFT JOIN video v ON v.id = m.video_id AND m.refusal IS NOT NULL
 ORDER BY m.video_id
ON CONFLICT (video_id) DO UPDATE
   SET etag = excluded.etag, checked_at = excluded.checked_at, duration_ms = excluded.duration_ms, width = excluded.width,
       height = excluded.height, container = excluded.container, codec = excluded.codec, content_type = excluded.content_type,
       refusal = excluded.refusal, refused_prefix_id = excluded.refused_prefix_id, refused_name = excluded.refused_name
