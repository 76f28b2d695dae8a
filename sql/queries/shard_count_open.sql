-- Shards of a job that have not ended. Walks shard_by_job. $1 int8 job.  Gives count int8.
SELECT count(*) FROM shard WHERE job_id = $1 AND state NOT IN ('completed', 'failed', 'cancelled')
