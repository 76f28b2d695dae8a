-- A page of the videos that a plan did not take, by reason and id. Walks plan_skip's key.
-- $1 int8 job, $2 text reason or NULL, $3 text after this reason, $4 int8 and this video of it, $5 int8 limit.
-- Gives cursor int8, video id int8, bucket text, key_prefix text, name text, etag text, size_bytes int8, duration_ms int8, reason text.
SELECT v.id, v.id, p.bucket, p.key_prefix, v.name, v.etag, v.size_bytes, m.duration_ms, s.reason
  FROM (SELECT reason, video_id FROM plan_skip
         WHERE job_id = $1 AND (reason, video_id) > ($3, $4) AND ($2::text IS NULL OR reason = $2)
         ORDER BY reason, video_id LIMIT $5) s
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN video_media m ON m.video_id = v.id AND m.etag = v.etag
 ORDER BY s.reason, v.id
