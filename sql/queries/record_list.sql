-- A page of a job's records. Walks record_by_job; the rest by keys.
-- $1 int8 job, $2 int8 after this id, $3 int8 limit.  Columns: record_row_read.
SELECT r.id, r.job_id, r.shard_id, r.video_id, p.bucket, p.key_prefix, v.name, r.etag, coalesce(s.state::text, 'pending'),
       s.error_reason, s.error_message, s.error_code, s.error_retryable, r.source_id
  FROM (SELECT * FROM record WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3) r
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN summary s ON s.record_id = r.id
 ORDER BY r.id
