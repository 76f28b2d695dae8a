-- Removes a finished task, or makes it ready again where it was poked while it ran. Locks first, so that a poke at the same moment
-- is either seen here or finds no row and inserts a new one. By primary key.
-- $1 int8 id, $2 int4 attempt.  Gives count int8: 0 when it was no longer ours.
WITH mine AS MATERIALIZED (
    SELECT id, poked FROM task WHERE id = $1 AND attempt = $2 AND state = 'running' FOR UPDATE
), gone AS (
    DELETE FROM task t USING mine WHERE t.id = mine.id AND NOT mine.poked
), once_more AS (
    UPDATE task t
       SET state = 'ready', run_at = t.run_at, poked = false, failures = 0, failing_since = NULL, lost = 0, last_error = NULL, lease_until = NULL, worker = NULL
      FROM mine WHERE t.id = mine.id AND mine.poked
)
SELECT count(*) FROM mine
