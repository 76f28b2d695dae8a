-- Where in S3 a thing belongs, as s3://bucket/path: the prefix of a prefix, video, job, plan or summary; of an import that has not found
-- its prefix yet, what it reads. By primary keys. $1 text kind (pfx_ vid_ job_ pln_ sum_), $2 int8 id.  Gives place text; no row where
-- there is no such thing.
SELECT CASE WHEN p.id IS NOT NULL THEN 's3://' || p.bucket || '/' || p.key_prefix ELSE thing.import_place END
  FROM (SELECT $2::int8 AS prefix_id, NULL::text AS import_place WHERE $1 = 'pfx_'
         UNION ALL
        SELECT prefix_id, NULL FROM video WHERE $1 = 'vid_' AND id = $2
         UNION ALL
        SELECT prefix_id, import_output_uri FROM job WHERE $1 IN ('job_', 'pln_') AND id = $2
         UNION ALL
        SELECT j.prefix_id, j.import_output_uri FROM summary s JOIN job j ON j.id = s.job_id WHERE $1 = 'sum_' AND s.record_id = $2) thing
  LEFT JOIN prefix p ON p.id = thing.prefix_id
 WHERE p.id IS NOT NULL OR thing.import_place IS NOT NULL
