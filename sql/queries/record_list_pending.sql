-- A page of a job's records that nothing is stored of yet. Walks record_by_job past those that have a summary (by its key).
-- $1 int8 job, $2 int8 after this id, $3 int8 limit.  Columns: record_row_read.
SELECT r.id, r.job_id, r.shard_id, r.video_id, p.bucket, p.key_prefix, v.name, r.etag, 'pending',
       NULL::text, NULL::text, NULL::int4, NULL::bool, r.source_id
  FROM (SELECT * FROM record
         WHERE job_id = $1 AND id > $2 AND NOT EXISTS (SELECT FROM summary s WHERE s.record_id = record.id AND s.record_id > $2)
         ORDER BY id LIMIT $3) r
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
 ORDER BY r.id
