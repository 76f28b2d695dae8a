-- What staging and the queue for slots show and remember.
ALTER TABLE shard
    ADD COLUMN folder_busy     bool NOT NULL DEFAULT false,  -- planned, and waits for a folder that another shard holds
    ADD COLUMN cleanup         text CHECK (cleanup IN ('removed', 'kept', 'failed')),  -- of what staging wrote; NULL: not yet
    ADD COLUMN cleanup_problem jsonb;                        -- why it failed
CREATE INDEX shard_folder_busy ON shard (id) WHERE folder_busy;

-- What AWS's latest refusal of another Bedrock job of a model (its quota, or throttling) says about slots. Before `until` nobody asks
-- where more than `in_flight` would be there (quota), or nobody at all (throttled); afterwards one asks at a time.
CREATE TABLE slot_refusal (
    model_key  text PRIMARY KEY,
    reason     text NOT NULL CHECK (reason IN ('quota', 'throttled')),
    in_flight  int8 NOT NULL,   -- of ours that AWS had taken when it refused
    refusals   int4 NOT NULL,   -- in a row
    refused_at timestamptz NOT NULL,
    until      timestamptz NOT NULL
);

-- Who waits for a slot of which model, in the order in which slots are given: the job with the fewest shards at Bedrock first, then the
-- oldest job, then the lowest ordinal; a shard whose last try failed comes behind all others, for it may not be able to use a slot.
CREATE VIEW slot_queue AS
SELECT id AS shard_id, job_id, model_key,
       row_number() OVER (PARTITION BY model_key ORDER BY has_failed, turn, job_id, ordinal) AS position
  FROM (SELECT s.id, s.job_id, s.model_key, s.ordinal, coalesce(t.failures, 0) > 0 AS has_failed,
               coalesce(f.shards, 0) + row_number() OVER (PARTITION BY s.model_key, s.job_id ORDER BY s.ordinal) AS turn
          FROM shard s
          JOIN job j ON j.id = s.job_id
          LEFT JOIN task t ON t.kind = 'submit' AND t.subject_id = s.id
          LEFT JOIN (SELECT job_id, model_key, count(*) AS shards
                       FROM shard
                      WHERE route = 'batch' AND (state = 'running' OR (state = 'submitting' AND submit_started_at IS NOT NULL))
                      GROUP BY job_id, model_key) f ON f.job_id = s.job_id AND f.model_key = s.model_key
         WHERE s.state = 'submitting' AND s.submit_started_at IS NULL AND s.route = 'batch' AND j.state <> 'cancelling') waiting;
