-- A page of a job's lines that could not be used. Walks unread_line_by_job. $1 int8 job, $2 int8 after this id, $3 int8 limit.
-- Gives id int8, shard_id int8, file text, offset int8, bytes int8, kind text, problem text, head text.
SELECT id, shard_id, file, at_byte, bytes, kind, problem, head FROM unread_line WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3
