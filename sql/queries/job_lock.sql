-- Locks a job's row: orders all transactions of one job. Rows that only refer to it (events, shards) can still be added.
-- $1 int8 id.  Gives state text.
SELECT state FROM job WHERE id = $1 FOR NO KEY UPDATE
