-- Where a search within a prefix or a job begins: behind the newest record. Walks job_by_prefix and job_imports, or one job by key;
-- record_by_job for each.
-- $1 int8 prefix or NULL, $2 int8 job or NULL.  Gives record_id int8, NULL where there is none.
SELECT max(r.id)
  FROM job j
 CROSS JOIN LATERAL (SELECT id FROM record WHERE job_id = j.id ORDER BY id DESC LIMIT 1) r
 WHERE ($1::int8 IS NULL OR j.id IN (SELECT id FROM job WHERE prefix_id = $1 UNION ALL
                                   SELECT id FROM job
                                    WHERE import_output_uri IS NOT NULL AND (import_prefixes @> ARRAY[$1] OR import_prefixes IS NULL)))
   AND ($2::int8 IS NULL OR j.id = $2)
