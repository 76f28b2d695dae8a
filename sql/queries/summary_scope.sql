-- Where a search within a prefix or a job begins: behind the newest record. Walks job_by_prefix, or one job by key; record_by_job for each.
-- $1 int8 prefix or NULL, $2 int8 job or NULL.  Gives record_id int8, NULL where there is none.
SELECT max(r.id)
  FROM job j
 CROSS JOIN LATERAL (SELECT id FROM record WHERE job_id = j.id ORDER BY id DESC LIMIT 1) r
 WHERE ($1::int8 IS NULL OR j.prefix_id = $1) AND ($2::int8 IS NULL OR j.id = $2)
