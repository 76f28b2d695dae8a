-- The one shard of an import. Walks shard_by_job. $1 int8 job.  Gives id int8.
SELECT id FROM shard WHERE job_id = $1 ORDER BY ordinal LIMIT 1
