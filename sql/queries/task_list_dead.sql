-- The same of dead tasks only: walks task_dead. $1 int8 after this id, $2 int8 limit.  Columns: task_row_read.
SELECT t.id, t.kind, t.subject_id, t.state, t.attempt, t.failures, t.lost, t.last_error, epoch_ms(t.failing_since), epoch_ms(t.run_at),
       epoch_ms(t.lease_until), epoch_ms(t.created_at), coalesce(t.job_id, s.job_id, f.job_id, j.id), p.id
  FROM task t
  LEFT JOIN shard s ON t.kind IN ('stage', 'submit', 'invoke', 'ingest', 'index') AND s.id = t.subject_id
  LEFT JOIN (SELECT sf.id, sh.job_id FROM shard_file sf JOIN shard sh ON sh.id = sf.shard_id) f ON t.kind = 'ingest_file' AND f.id = t.subject_id
  LEFT JOIN job j ON t.kind IN ('plan', 'import', 'cancel', 'finish', 'expire') AND j.id = t.subject_id
  LEFT JOIN prefix p ON t.kind IN ('scan', 'sweep') AND p.id = t.subject_id
 WHERE t.state = 'dead' AND t.id > $1
 ORDER BY t.id LIMIT $2
