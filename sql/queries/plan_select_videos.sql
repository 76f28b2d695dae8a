-- Considers the videos that the job names. By their keys.
-- $1 int8 prefix, $2 timestamptz since when a passing refusal must have been found to hold, $3 int8 most bytes of a
-- video, $4 int8 job.
INSERT INTO plan_video (n, id, size_bytes, duration_ms, looked, name, etag, reason)
SELECT row_number() OVER (ORDER BY (c.reason IS NOT NULL), c.name), c.id, c.size_bytes, c.duration_ms, c.looked, c.name, c.etag, c.reason
  FROM (SELECT v.id, v.size_bytes, m.duration_ms, m.video_id IS NOT NULL AS looked, v.name, v.etag,
               CASE WHEN v.vanished_at IS NOT NULL THEN 'vanished' ELSE coalesce(v.reason, CASE WHEN v.size_bytes > $3 THEN 'too_large' END, m.refusal) END AS reason
          FROM (SELECT DISTINCT unnest(picked) AS id FROM job WHERE id = $4) picked
          JOIN video v ON v.id = picked.id AND v.prefix_id = $1
          LEFT JOIN video_media m
            ON m.video_id = v.id AND m.etag = v.etag
           AND NOT (coalesce(m.refusal, '') IN ('denied', 'unreadable', 'vanished', 'changed', 'archived') AND m.checked_at < $2)) c
