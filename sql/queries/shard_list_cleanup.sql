-- A page of a job's shards as the cleanup sees them. Walks shard_by_job. $1 int8 job, $2 int4 after this ordinal, $3 int8 limit.
-- Gives id int8, ordinal int4, staging text, folder_uri text, input_key text, is_written bool, keep_staging bool (NULL: as the setting
-- says), bucket text, bucket_owner text.
SELECT s.id, s.ordinal, s.staging, s.folder_uri, s.input_key, s.input_bytes IS NOT NULL, j.keep_staging, p.bucket, p.bucket_owner
  FROM shard s JOIN job j ON j.id = s.job_id JOIN prefix p ON p.id = j.prefix_id
 WHERE s.job_id = $1 AND s.ordinal > $2
 ORDER BY s.ordinal LIMIT $3
