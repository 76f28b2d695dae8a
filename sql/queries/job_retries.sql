-- The launched retries of a job, oldest first. Walks job_retries. $1 int8 job, $2 int8 limit.  Gives id int8.
SELECT id FROM job WHERE retry_of = $1 AND launched_at IS NOT NULL ORDER BY id LIMIT $2
