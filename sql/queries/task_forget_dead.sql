-- Dead tasks that nothing waits for any more are kept for a while: their job has ended, or they scanned. Walks task_dead.
-- $1 int8 milliseconds.
DELETE FROM task t
 WHERE t.state = 'dead' AND t.run_at < now() - $1::int8 * interval '1 millisecond'
   AND (t.kind = 'scan' OR EXISTS (SELECT FROM job WHERE id = t.job_id AND completed_at IS NOT NULL))
