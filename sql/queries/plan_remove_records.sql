-- Removes some records of an expired plan. Walks record_by_job. $1 int8 job, $2 int8 limit.
DELETE FROM record WHERE id IN (SELECT r.id FROM record r WHERE r.job_id = $1 ORDER BY r.id LIMIT $2)
   AND EXISTS (SELECT FROM job WHERE id = $1 AND state = 'expired')
