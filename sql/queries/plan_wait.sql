-- A job or plan does not start yet: it stands in the queue again. By primary key. $1 int8 job, $2 jsonb why.
UPDATE job SET state = 'queued', started_at = NULL, waiting = $2::jsonb, version = version + 1
 WHERE id = $1 AND state IN ('queued', 'planning')
