-- Removes the shards of an expired plan, which nothing refers to any more. Walks shard_by_job. $1 int8 job.
DELETE FROM shard WHERE job_id = $1 AND EXISTS (SELECT FROM job WHERE id = $1 AND state = 'expired')
