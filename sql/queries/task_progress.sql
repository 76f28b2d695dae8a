-- The step got something done: failures in a row, and leases lost, start anew. By primary key.
-- $1 int8 id, $2 int4 attempt.
UPDATE task SET failures = 0, failing_since = NULL, lost = 0 WHERE id = $1 AND attempt = $2
