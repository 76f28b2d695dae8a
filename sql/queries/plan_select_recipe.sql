-- Considers every video of a prefix and takes those without a succeeded summary for this recipe at their present ETag that are in no
-- launched job of this recipe that is still at it; where only failures are wanted, of these those whose latest record of the recipe, at
-- their present ETag and in a launched job, ended failed or missing. Scans the prefix's videos, what is known of their insides and the
-- recipe's records once.
-- $1 int8 prefix, $2 timestamptz since when a passing refusal must have been found to hold, $3 int8 most bytes of a video, $4 bytea recipe,
-- $5 bool only those that failed.
INSERT INTO plan_video (n, id, size_bytes, duration_ms, looked, name, etag, reason)
SELECT row_number() OVER (ORDER BY (c.reason IS NOT NULL), c.name), c.id, c.size_bytes, c.duration_ms, c.looked, c.name, c.etag, c.reason
  FROM (SELECT v.id, v.size_bytes, m.duration_ms, m.video_id IS NOT NULL AS looked, v.name, v.etag,
               CASE WHEN a.done THEN 'has_summary'
                    WHEN a.active THEN 'in_progress'
                    WHEN $5::bool AND a.failed IS NOT TRUE THEN 'not_failed'
                    ELSE coalesce(v.reason, CASE WHEN v.size_bytes > $3 THEN 'too_large' END, m.refusal) END AS reason
          FROM video v
          LEFT JOIN (SELECT r.video_id, r.etag, bool_or(s.state = 'succeeded') AS done,
                            bool_or(s.record_id IS NULL AND j.state NOT IN ('completed', 'failed', 'cancelled')) AS active,
                            max(r.id) = max(r.id) FILTER (WHERE s.state <> 'succeeded') AS failed
                       FROM job j JOIN record r ON r.job_id = j.id LEFT JOIN summary s ON s.record_id = r.id
                      WHERE j.prefix_id = $1 AND j.recipe = $4 AND j.launched_at IS NOT NULL
                      GROUP BY r.video_id, r.etag) a ON a.video_id = v.id AND a.etag = v.etag
          LEFT JOIN video_media m
            ON m.video_id = v.id AND m.etag = v.etag
           AND NOT (coalesce(m.refusal, '') IN ('denied', 'unreadable', 'vanished', 'changed', 'archived') AND m.checked_at < $2)
         WHERE v.prefix_id = $1 AND v.vanished_at IS NULL) c
