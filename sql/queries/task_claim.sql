-- Claims one task of these kinds: the one whose lease ran out first, else the one that has waited longest. Locked rows are skipped:
-- claimers never queue behind each other. Walks task_leased and task_due up to the first hit.
-- $1 text[] kinds, $2 text worker, $3 int8 lease in milliseconds.
-- Gives id int8, kind text, subject_id int8, attempt int4, failures int4, lost int4 (leases that ran out in a row, this one too); no row
-- when idle.
WITH expired AS MATERIALIZED (
    SELECT id FROM task
     WHERE state = 'running' AND lease_until < now() AND kind = ANY ($1::text[])
     ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT id FROM task
     WHERE state = 'ready' AND run_at <= now() AND kind = ANY ($1::text[]) AND NOT EXISTS (SELECT FROM expired)
     ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
    SELECT id, 1 AS lost FROM expired UNION ALL SELECT id, 0 FROM due
)
UPDATE task t
   SET state = 'running', attempt = attempt + 1, worker = $2, lease_until = now() + $3::int8 * interval '1 millisecond',
       lost = t.lost + chosen.lost
  FROM chosen
 WHERE t.id = chosen.id
RETURNING t.id, t.kind, t.subject_id, t.attempt, t.failures, t.lost
