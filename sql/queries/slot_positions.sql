-- Where the waiting shards of a job stand in the queues of their models, and for how long AWS has refused more of them. Walks
-- shard_waiting. $1 int8 job.
-- Gives shard int8, position int8, reason text and until_ms int8 (NULL: no refusal stands in the way).
SELECT q.shard_id, q.position, r.reason, epoch_ms(r.until)
  FROM slot_queue q LEFT JOIN slot_refusal r ON r.model_key = q.model_key AND r.until > now() WHERE q.job_id = $1
