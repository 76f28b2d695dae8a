-- Puts a claimed task back, to run after a delay, or sooner where it was poked. Without an error the failures in a row are forgotten.
-- $1 int8 id, $2 int4 attempt, $3 int8 delay in milliseconds, $4 text error or NULL, $5 bool whether it counts,
-- $6 int4 leases lost in a row. By primary key.
UPDATE task
   SET state = 'ready', poked = false, lease_until = NULL, worker = NULL, last_error = $4::text, lost = $6::int4,
       run_at = CASE WHEN poked THEN least(run_at, now() + $3::int8 * interval '1 millisecond')
                     ELSE now() + $3::int8 * interval '1 millisecond' END,
       failures = CASE WHEN $4::text IS NULL THEN 0 WHEN $5 THEN failures + 1 ELSE greatest(failures, 1) END,
       failing_since = CASE WHEN $4::text IS NOT NULL THEN coalesce(failing_since, now()) END
 WHERE id = $1 AND attempt = $2 AND state = 'running'
