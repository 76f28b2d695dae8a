-- Considers the videos of the records of another job that failed or are missing, and takes those that are still there, got no summary by a job launched since
-- then, and whose failure is not hopeless (unless these are wanted too). Walks summary_not_succeeded once and tells equal failures apart
-- once, as failure_groups does; scans the recipe's records once.
-- $1 int8 prefix, $2 timestamptz since when a passing refusal must have been found to hold, $3 int8 most bytes of a video, $4 int8 job, $5 jsonb the
-- catalogue of causes (causes_for_sql).
INSERT INTO plan_video (n, id, size_bytes, duration_ms, looked, name, etag, reason)
WITH asked AS MATERIALIZED (
    SELECT retry_of, retry_hopeless, recipe FROM job WHERE id = $4
), cause AS MATERIALIZED (
    SELECT place, reason, min, max, retryable, pattern, hopeless
      FROM ROWS FROM (jsonb_to_recordset($5) AS (reason text, min int4, max int4, retryable bool, pattern text, hopeless bool))
      WITH ORDINALITY AS c (reason, min, max, retryable, pattern, hopeless, place)
), failure AS MATERIALIZED (
    SELECT video_id, coalesce(error_reason, '') AS reason, coalesce(error_code, 0) AS error_code,
           coalesce(error_retryable, false) AS retryable, lower(coalesce(error_message, '') COLLATE "C") AS message
      FROM summary WHERE job_id = (SELECT retry_of FROM asked) AND state <> 'succeeded'
), verdict AS MATERIALIZED (
    SELECT same.*, coalesce((SELECT c.hopeless FROM cause c
                              WHERE c.reason = same.reason AND (NOT c.retryable OR same.retryable)
                                AND (c.max = 0 OR same.error_code BETWEEN c.min AND c.max)
                                AND (c.pattern = '' OR strpos(same.message, c.pattern) > 0)
                              ORDER BY c.place LIMIT 1), false) AS hopeless
      FROM (SELECT DISTINCT reason, error_code, retryable, message FROM failure) same
), again AS MATERIALIZED (
    SELECT f.video_id, bool_and(v.hopeless) AS hopeless
      FROM failure f
      JOIN verdict v USING (reason, error_code, retryable, message)
     GROUP BY f.video_id
), answered AS MATERIALIZED (
    SELECT r.video_id, r.etag, bool_or(s.state = 'succeeded' AND j.launched_at >= (SELECT launched_at FROM job WHERE id = (SELECT retry_of FROM asked))) AS done,
           bool_or(s.record_id IS NULL AND j.state NOT IN ('completed', 'failed', 'cancelled')) AS active
      FROM job j JOIN record r ON r.job_id = j.id LEFT JOIN summary s ON s.record_id = r.id
     WHERE j.prefix_id = $1 AND j.recipe = (SELECT recipe FROM asked) AND j.launched_at IS NOT NULL AND j.id <> $4
     GROUP BY r.video_id, r.etag
)
SELECT row_number() OVER (ORDER BY (c.reason IS NOT NULL), c.name), c.id, c.size_bytes, c.duration_ms, c.looked, c.name, c.etag, c.reason
  FROM (SELECT v.id, v.size_bytes, m.duration_ms, m.video_id IS NOT NULL AS looked, v.name, v.etag,
               CASE WHEN v.vanished_at IS NOT NULL THEN 'vanished'
                    WHEN a.done THEN 'has_summary'
                    WHEN a.active THEN 'in_progress'
                    WHEN again.hopeless AND NOT (SELECT retry_hopeless FROM asked) THEN 'hopeless'
                    ELSE coalesce(v.reason, CASE WHEN v.size_bytes > $3 THEN 'too_large' END, m.refusal) END AS reason
          FROM again
          JOIN video v ON v.id = again.video_id AND v.prefix_id = $1
          LEFT JOIN answered a ON a.video_id = v.id AND a.etag = v.etag
          LEFT JOIN video_media m
            ON m.video_id = v.id AND m.etag = v.etag
           AND NOT (coalesce(m.refusal, '') IN ('denied', 'unreadable', 'vanished', 'changed', 'archived') AND m.checked_at < $2)) c
