-- Makes sure that a task runs: inserts it, moves a waiting one forward, pokes a running one, revives a dead one. One row by its key.
-- $1 text kind, $2 int8 subject, $3 int8 delay in milliseconds.
INSERT INTO task AS t (kind, subject_id, run_at)
VALUES ($1, $2, now() + $3::int8 * interval '1 millisecond')
ON CONFLICT (kind, subject_id) DO UPDATE
   SET run_at = CASE WHEN t.state = 'ready' OR t.poked THEN least(t.run_at, excluded.run_at) ELSE excluded.run_at END,
       poked = t.state = 'running',
       failures = CASE t.state WHEN 'dead' THEN 0 ELSE t.failures END,
       failing_since = CASE t.state WHEN 'dead' THEN NULL ELSE t.failing_since END,
       state = CASE t.state WHEN 'dead' THEN 'ready' ELSE t.state END
