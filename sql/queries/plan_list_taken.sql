-- A page of the videos that a plan takes, in key order. Walks record_by_job. $1 int8 job, $2 int8 after this record, $3 int8 limit.
-- Gives cursor int8, video id int8, bucket text, key_prefix text, name text, etag text, size_bytes int8, duration_ms int8, reason text (NULL).
SELECT r.id, v.id, p.bucket, p.key_prefix, v.name, r.etag, v.size_bytes, m.duration_ms, NULL::text
  FROM (SELECT id, video_id, etag FROM record WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3) r
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN video_media m ON m.video_id = v.id AND m.etag = r.etag
 ORDER BY r.id
