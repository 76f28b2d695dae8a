-- A scan of a prefix has ended: what waits for videos of it is planned again. Walks job_waiting. $1 int8 prefix.
INSERT INTO task AS t (kind, subject_id)
SELECT 'plan', id FROM job WHERE prefix_id = $1 AND waiting IS NOT NULL AND state = 'queued' ORDER BY id
ON CONFLICT (kind, subject_id) DO UPDATE
   SET run_at = CASE WHEN t.state = 'ready' OR t.poked THEN least(t.run_at, excluded.run_at) ELSE excluded.run_at END,
       poked = t.state = 'running',
       failures = CASE t.state WHEN 'dead' THEN 0 ELSE t.failures END,
       state = CASE t.state WHEN 'dead' THEN 'ready' ELSE t.state END
