-- A page of a job's records in one state other than pending. Walks summary_by_job, or summary_not_succeeded (planned for the state);
-- the rest by keys.
-- $1 int8 job, $2 int8 after this id, $3 int8 limit, $4 summary_state state.  Columns: record_row_read.
SELECT r.id, r.job_id, r.shard_id, r.video_id, p.bucket, p.key_prefix, v.name, r.etag, s.state::text,
       s.error_reason, s.error_message, s.error_code, s.error_retryable, r.source_id
  FROM (SELECT * FROM summary WHERE job_id = $1 AND record_id > $2 AND state = $4::summary_state ORDER BY record_id LIMIT $3) s
  JOIN record r ON r.id = s.record_id
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
 ORDER BY s.record_id
