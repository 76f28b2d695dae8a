-- Where in S3 a thing belongs, as s3://bucket/path: the prefix of a prefix, video, job or plan, and of a summary's video; all prefixes of
-- an import, or what it reads where it has not found them yet. By primary keys, and where a former version ended an import, by its records.
-- $1 text kind (pfx_ vid_ job_ pln_ sum_), $2 int8 id.  Gives place text; no row where there is no such thing.
SELECT CASE WHEN p.id IS NOT NULL THEN 's3://' || p.bucket || '/' || p.key_prefix ELSE thing.import_place END
  FROM (SELECT $2::int8 AS prefix_id, NULL::text AS import_place WHERE $1 = 'pfx_'
         UNION ALL
        SELECT prefix_id, NULL FROM video WHERE $1 = 'vid_' AND id = $2
         UNION ALL
        SELECT unnest(CASE WHEN import_output_uri IS NULL OR prefix_id IS NULL THEN ARRAY[prefix_id]
                           ELSE coalesce(import_prefixes, ARRAY(SELECT DISTINCT v.prefix_id FROM record r JOIN video v ON v.id = r.video_id
                                                                 WHERE r.job_id = job.id)) END),
               CASE WHEN prefix_id IS NULL THEN import_output_uri END
          FROM job WHERE $1 IN ('job_', 'pln_') AND id = $2
         UNION ALL
        SELECT v.prefix_id, NULL FROM summary s JOIN video v ON v.id = s.video_id WHERE $1 = 'sum_' AND s.record_id = $2) thing
  LEFT JOIN prefix p ON p.id = thing.prefix_id
 WHERE p.id IS NOT NULL OR thing.import_place IS NOT NULL
