-- Hands a claimed task back unfinished, ready at once; no failure. By primary key.
-- $1 int8 id, $2 int4 attempt.
UPDATE task SET state = 'ready', run_at = now(), poked = false, lost = 0, lease_until = NULL, worker = NULL
 WHERE id = $1 AND attempt = $2 AND state = 'running'
