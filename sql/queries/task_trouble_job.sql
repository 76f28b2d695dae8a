-- What is wrong with a job: a step that was given up, else what keeps failing and will be tried again, of its own tasks, those of its
-- shards and of their files, and the watch where it has shards at Bedrock. Probes the unique index of task for each, and task_dead_of_job.
-- $1 int8 job.
-- Gives id int8, kind text, last_error text, failures int4, next_ms int8, since_ms int8, dead bool; no row where nothing is.
WITH alive AS MATERIALIZED (
    SELECT id, state, route FROM shard WHERE job_id = $1 AND state NOT IN ('completed', 'failed', 'cancelled')
), mine AS (
    SELECT t.id, t.kind, t.last_error, t.failures, t.run_at, t.failing_since, t.state
      FROM (SELECT k AS kind, $1::int8 AS subject_id FROM unnest('{plan,cancel,finish,import}'::text[]) k
            UNION ALL SELECT k, id FROM alive, unnest('{stage,submit,invoke,ingest}'::text[]) k
            UNION ALL SELECT 'ingest_file', f.id FROM alive JOIN shard_file f ON f.shard_id = alive.id WHERE alive.state = 'ingesting'
            UNION ALL SELECT 'watch', 0 WHERE EXISTS (SELECT FROM alive WHERE state = 'running' AND route = 'batch')) due
      JOIN task t ON t.kind = due.kind AND t.subject_id = due.subject_id
     WHERE t.failures > 0 AND t.last_error IS NOT NULL
    UNION ALL
    SELECT id, kind, last_error, failures, run_at, failing_since, state FROM task WHERE job_id = $1 AND state = 'dead'
)
SELECT id, kind, last_error, failures, epoch_ms(run_at), epoch_ms(failing_since), state = 'dead'
  FROM mine ORDER BY state = 'dead' DESC, failures DESC, id LIMIT 1
