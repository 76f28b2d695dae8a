-- Keys that lie under no registered prefix: how many, the first and the last. Walks import_line_by_job; prefix_place for each.
-- $1 int8 job.  Gives count int8, first text, last text.
SELECT count(*), min(key), max(key)
  FROM import_line l
 WHERE job_id = $1
   AND NOT EXISTS (SELECT FROM prefix p
                    WHERE p.bucket = l.bucket AND p.deleted_at IS NULL AND starts_with(l.key, p.key_prefix)
                      AND length(l.key) > length(p.key_prefix))
