-- What this month's jobs cost: a job that waited for videos began when it was planned.
DROP INDEX job_launched;
CREATE INDEX job_begun ON job (greatest(launched_at, planned_at)) WHERE launched_at IS NOT NULL;

-- Ten thousand shards of one job may wait for a slot, or end one by one: what is asked for each of them must not walk all of them.
CREATE INDEX shard_taken ON shard (model_key)
 WHERE route = 'batch' AND (state = 'running' OR (state = 'submitting' AND submit_started_at IS NOT NULL));
CREATE INDEX shard_waiting ON shard (model_key) WHERE route = 'batch' AND state = 'submitting' AND submit_started_at IS NULL;
CREATE INDEX shard_open ON shard (job_id, state) WHERE state NOT IN ('completed', 'failed', 'cancelled');

-- The shards that hold a slot: Bedrock jobs that are, or may be, ours now. Walks shard_taken.
CREATE VIEW slot_taken AS
SELECT id AS shard_id, job_id, model_key FROM shard
 WHERE route = 'batch' AND (state = 'running' OR (state = 'submitting' AND submit_started_at IS NOT NULL));

-- The same order as before, over the view above, and whether the shard's last try failed: such a one comes back by itself.
CREATE OR REPLACE VIEW slot_queue AS
SELECT id AS shard_id, job_id, model_key,
       row_number() OVER (PARTITION BY model_key ORDER BY has_failed, turn, job_id, ordinal) AS position, has_failed
  FROM (SELECT s.id, s.job_id, s.model_key, s.ordinal, coalesce(t.failures, 0) > 0 AS has_failed,
               coalesce(f.shards, 0) + row_number() OVER (PARTITION BY s.model_key, s.job_id ORDER BY s.ordinal) AS turn
          FROM shard s
          JOIN job j ON j.id = s.job_id
          LEFT JOIN task t ON t.kind = 'submit' AND t.subject_id = s.id
          LEFT JOIN (SELECT job_id, model_key, count(*) AS shards FROM slot_taken GROUP BY job_id, model_key) f
            ON f.job_id = s.job_id AND f.model_key = s.model_key
         WHERE s.route = 'batch' AND s.state = 'submitting' AND s.submit_started_at IS NULL AND j.state <> 'cancelling') waiting;

-- Videos that a look refused are listed by prefix, in key order. Filled only for these: a few among millions.
ALTER TABLE video_media
    ADD COLUMN refused_prefix_id int8,
    ADD COLUMN refused_name      text COLLATE "C";
DELETE FROM video_media m WHERE NOT EXISTS (SELECT FROM video v WHERE v.id = m.video_id);
UPDATE video_media m SET refused_prefix_id = v.prefix_id, refused_name = v.name FROM video v WHERE v.id = m.video_id AND m.refusal IS NOT NULL;
DROP INDEX video_media_refused;
CREATE INDEX video_media_refused ON video_media (refused_prefix_id, refused_name) WHERE refusal IS NOT NULL;

-- Lines of imports that were cancelled while they read.
DELETE FROM import_line l
 WHERE NOT EXISTS (SELECT FROM job WHERE id = l.job_id AND state NOT IN ('completed', 'failed', 'cancelled'));
