-- How many videos of a prefix a job that has not ended asks this very question about, at their present ETag. Walks the records of such jobs.
-- $1 int8 prefix, $2 bytea recipe, $3 int8 stop at so many or NULL.  Gives count int8.
SELECT count(*) FROM (SELECT DISTINCT v.id
  FROM job j JOIN record r ON r.job_id = j.id JOIN video v ON v.id = r.video_id AND v.etag = r.etag LEFT JOIN summary s ON s.record_id = r.id
 WHERE j.prefix_id = $1 AND j.recipe = $2 AND j.launched_at IS NOT NULL AND j.state NOT IN ('completed', 'failed', 'cancelled')
   AND s.record_id IS NULL AND v.vanished_at IS NULL AND v.reason IS NULL
 LIMIT $3) active
