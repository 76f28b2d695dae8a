-- How many videos a job over what is new in a prefix would take: without a succeeded summary for this recipe at their present ETag, and not in
-- a job of this recipe that is still at it.
-- Scans the prefix's videos and the recipe's records once. The FULL JOIN is meant, see video_delete_unused.
-- $1 int8 prefix, $2 bytea recipe, $3 int8 stop at so many or NULL.  Gives count int8.
SELECT count(*) FROM (SELECT
  FROM (SELECT id, etag FROM video WHERE prefix_id = $1 AND vanished_at IS NULL AND reason IS NULL) v
  FULL JOIN (SELECT r.video_id, r.etag
               FROM job j JOIN record r ON r.job_id = j.id LEFT JOIN summary s ON s.record_id = r.id
               WHERE j.prefix_id = $1 AND j.recipe = $2 AND j.launched_at IS NOT NULL
                 AND (s.state = 'succeeded'
                      OR (s.record_id IS NULL AND j.state NOT IN ('completed', 'failed', 'cancelled')))) answered
    ON answered.video_id = v.id AND answered.etag = v.etag
 WHERE answered.video_id IS NULL
 LIMIT $3) taken
