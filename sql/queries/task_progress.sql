-- The step got something done: failures in a row start anew. By primary key.
-- $1 int8 id, $2 int4 attempt.
UPDATE task SET failures = 0 WHERE id = $1 AND attempt = $2 AND failures > 0
