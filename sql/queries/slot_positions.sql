-- Where the waiting shards of a job stand in the queues of their models. Walks shard_waiting. $1 int8 job.
-- Gives shard int8, position int8.
SELECT shard_id, position FROM slot_queue WHERE job_id = $1
