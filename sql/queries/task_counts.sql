-- The queue in numbers. Scans all of task, which holds what is to be done, not what was.
-- $1 int8 most rows.  Gives kind text, state text, count int8, oldest_ms int8 (since the oldest was due; 0 where none is).
SELECT kind, state, count(*), greatest(epoch_ms(now()) - epoch_ms(min(run_at)), 0)
  FROM task GROUP BY kind, state ORDER BY kind, state LIMIT $1
