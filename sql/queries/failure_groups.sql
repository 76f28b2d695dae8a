-- A job's failed and missing records by cause, the largest group first, each with up to three of them. Walks summary_not_succeeded once
-- and looks into each different message for the few words that the catalogue knows of its reason; the rest by keys. The choice of a cause is
-- cause_of_failure's (server/work/causes.h).
-- $1 int8 job, $2 jsonb the catalogue (causes_for_sql).
-- Gives a row for each example: record_row_read's columns, then code text, count int8 and missing int8 of its cause.
WITH cause AS MATERIALIZED (
    SELECT place, code, reason, min, max, retryable, pattern
      FROM ROWS FROM (jsonb_to_recordset($2) AS (code text, reason text, min int4, max int4, retryable bool, pattern text))
      WITH ORDINALITY AS c (code, reason, min, max, retryable, pattern, place)
), known AS MATERIALIZED (
    SELECT reason, array_agg(DISTINCT pattern) AS words,
           array_agg(DISTINCT '%' || regexp_replace(pattern, '([\\%_])', '\\\1', 'g') || '%') AS likes
      FROM cause WHERE pattern <> '' GROUP BY reason
), same AS MATERIALIZED (
    SELECT error_reason, coalesce(error_code, 0) AS error_code, coalesce(error_retryable, false) AS retryable,
           lower(error_message COLLATE "C") AS message, count(*) AS count, count(*) FILTER (WHERE state = 'missing') AS missing,
           min(record_id) AS first, max(record_id) AS last
      FROM summary
     WHERE job_id = $1 AND state <> 'succeeded'
     GROUP BY 1, 2, 3, 4
), kind AS MATERIALIZED (
    SELECT s.error_reason, s.error_code, s.retryable,
           CASE WHEN s.message LIKE ANY (k.likes)
                THEN ARRAY(SELECT word FROM unnest(k.words) word WHERE strpos(s.message, word) > 0) END AS hits,
           sum(s.count) AS count, sum(s.missing) AS missing, min(s.first) AS first, max(s.first) AS second, max(s.last) AS last
      FROM same s LEFT JOIN known k ON k.reason = s.error_reason
     GROUP BY 1, 2, 3, 4
), told AS (
    SELECT kind.*, coalesce((SELECT c.code FROM cause c
                              WHERE c.reason = kind.error_reason AND (NOT c.retryable OR kind.retryable)
                                AND (c.max = 0 OR kind.error_code BETWEEN c.min AND c.max)
                                AND (c.pattern = '' OR c.pattern = ANY (kind.hits))
                              ORDER BY c.place LIMIT 1), 'unknown') AS code
      FROM kind
), grouped AS MATERIALIZED (
    SELECT code, sum(count)::int8 AS count, sum(missing)::int8 AS missing, ARRAY[min(first), max(second), max(last)] AS examples
      FROM told GROUP BY code
)
SELECT r.id, r.job_id, r.shard_id, r.video_id, p.bucket, p.key_prefix, v.name, r.etag, s.state::text,
       s.error_reason, s.error_message, s.error_code, s.error_retryable, r.source_id, g.code, g.count, g.missing
  FROM grouped g
 CROSS JOIN LATERAL (SELECT DISTINCT id FROM unnest(g.examples) id) e
  JOIN record r ON r.id = e.id
  JOIN summary s ON s.record_id = e.id
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
 ORDER BY g.count DESC, g.code, e.id
