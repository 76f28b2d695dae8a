-- Gives a claimed task up; one that was poked while it ran gets another life instead. By primary key.
-- $1 int8 id, $2 int4 attempt, $3 text error, $4 int8 job or NULL.
UPDATE task
   SET state = CASE WHEN poked THEN 'ready' ELSE 'dead' END, failures = CASE WHEN poked THEN 0 ELSE failures + 1 END,
       run_at = CASE WHEN poked THEN run_at ELSE now() END, poked = false, lease_until = NULL, worker = NULL, last_error = $3, lost = 0,
       failing_since = CASE WHEN poked THEN NULL ELSE coalesce(failing_since, now()) END, job_id = $4
 WHERE id = $1 AND attempt = $2 AND state = 'running'
