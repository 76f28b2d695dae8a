-- A page of a job's records that nothing is stored of yet. Walks record_by_job past those that have a summary (by its key).
-- $1 int8 job, $2 int8 after this id, $3 int8 limit.  Columns: record_row_read.
SELECT r.id, r.job_id, r.shard_id, r.video_id, p.bucket, p.key_prefix, v.name, r.etag, 'pending',
       NULL::text, NULL::text, NULL::int4, NULL::bool
  FROM record r
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
 WHERE r.job_id = $1 AND r.id > $2 AND NOT EXISTS (SELECT FROM summary s WHERE s.record_id = r.id)
 ORDER BY r.id LIMIT $3
