-- What is left of a job's shards. Walks shard_open up to a first one. $1 int8 job.
-- Gives bool some are not at their answers yet, bool some have not ended.
SELECT EXISTS (SELECT FROM shard
                WHERE job_id = $1 AND state IN ('planned', 'staging', 'submitting', 'running')
                  AND state NOT IN ('completed', 'failed', 'cancelled')),
       EXISTS (SELECT FROM shard WHERE job_id = $1 AND state NOT IN ('completed', 'failed', 'cancelled'))
