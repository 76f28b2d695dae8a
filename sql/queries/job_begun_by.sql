-- The key that begins a job. By primary key. $1 int8 job, $2 int8 key or NULL.
UPDATE job SET key_id = $2 WHERE id = $1
