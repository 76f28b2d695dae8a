-- What keeps failing of a job, and will be tried again: of its own tasks, those of its shards and of their files, and the watch where it
-- has shards at Bedrock. Probes the unique index of task for each. $1 int8 job.
-- Gives kind text, last_error text, failures int4, next_ms int8; no row where nothing does.
WITH alive AS MATERIALIZED (
    SELECT id, state, route FROM shard WHERE job_id = $1 AND state NOT IN ('completed', 'failed', 'cancelled')
)
SELECT t.kind, t.last_error, t.failures, epoch_ms(t.run_at)
  FROM (SELECT k AS kind, $1::int8 AS subject_id FROM unnest('{plan,cancel,finish,import}'::text[]) k
        UNION ALL SELECT k, id FROM alive, unnest('{stage,submit,invoke,ingest}'::text[]) k
        UNION ALL SELECT 'ingest_file', f.id FROM alive JOIN shard_file f ON f.shard_id = alive.id WHERE alive.state = 'ingesting'
        UNION ALL SELECT 'watch', 0 WHERE EXISTS (SELECT FROM alive WHERE state = 'running' AND route = 'batch')) mine
  JOIN task t ON t.kind = mine.kind AND t.subject_id = mine.subject_id
 WHERE t.failures > 0 AND t.last_error IS NOT NULL AND t.state <> 'dead'
 ORDER BY t.failures DESC, t.id LIMIT 1
