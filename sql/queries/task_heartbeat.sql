-- Extends a lease. Never waits: a row that is locked is being ended by its owner, poked, or claimed by another, which the next
-- heartbeat will see. By primary key.
-- $1 int8 id, $2 int4 attempt, $3 int8 lease in milliseconds.  Gives count int8: 1 while the lease is held.
WITH mine AS MATERIALIZED (
    SELECT id FROM task WHERE id = $1 AND attempt = $2 AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED
), extended AS (
    UPDATE task t SET lease_until = now() + $3::int8 * interval '1 millisecond' FROM mine WHERE t.id = mine.id
)
SELECT count(*) FROM task WHERE id = $1 AND attempt = $2 AND state = 'running'
