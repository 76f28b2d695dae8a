-- When is there something to do for these kinds? The first hit of task_due and of task_leased.
-- $1 text[] kinds.  Gives milliseconds int8, 0 when it is due now, -1 when there is nothing.
SELECT CASE WHEN due IS NULL THEN -1 ELSE greatest(ceil(date_part('epoch', due - now()) * 1000)::int8, 0) END
  FROM (SELECT least((SELECT min(run_at) FROM task WHERE state = 'ready' AND kind = ANY ($1::text[])),
                     (SELECT min(lease_until) FROM task WHERE state = 'running' AND kind = ANY ($1::text[]))) AS due) next
