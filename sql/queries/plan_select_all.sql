-- Considers every video of a prefix. Scans its videos and what is known of their insides once.
-- $1 int8 prefix, $2 timestamptz since when a passing refusal (no access, gone, changed) must have been found to hold, $3 int8 most bytes
-- of a video.
INSERT INTO plan_video (n, id, size_bytes, duration_ms, looked, name, etag, reason)
SELECT row_number() OVER (ORDER BY (c.reason IS NOT NULL), c.name), c.id, c.size_bytes, c.duration_ms, c.looked, c.name, c.etag, c.reason
  FROM (SELECT v.id, v.size_bytes, m.duration_ms, m.video_id IS NOT NULL AS looked, v.name, v.etag,
               coalesce(v.reason, CASE WHEN v.size_bytes > $3 THEN 'too_large' END, m.refusal) AS reason
          FROM video v
          LEFT JOIN video_media m
            ON m.video_id = v.id AND m.etag = v.etag
           AND NOT (coalesce(m.refusal, '') IN ('denied', 'unreadable', 'vanished', 'changed', 'archived') AND m.checked_at < $2)
         WHERE v.prefix_id = $1 AND v.vanished_at IS NULL) c
