-- Locks a claimed task's row, so that nobody else can claim it before this transaction ends. A poke and a heartbeat pass this lock:
-- poking transactions hold their job's row, which this one may be about to wait for. By primary key.
-- $1 int8 id, $2 int4 attempt.  Gives id int8; no row when it is no longer ours.
SELECT id FROM task WHERE id = $1 AND attempt = $2 AND state = 'running' FOR KEY SHARE
