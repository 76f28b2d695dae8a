-- Hands back what this worker claimed and does not know of, for the answer was lost on the way: ready at once, no failure. Walks task_leased.
-- $1 text worker, $2 int8[] tasks that it does run.
UPDATE task SET state = 'ready', run_at = now(), poked = false, lease_until = NULL, worker = NULL
 WHERE state = 'running' AND worker = $1 AND id <> ALL ($2::int8[])
