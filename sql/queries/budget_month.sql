-- What this calendar month's (UTC) jobs cost: by model and route what those that ended really took, and what the rest may take at most.
-- A job's month is the one in which it began: when it was launched, or planned if that came later. What an import reads another tool
-- paid for. Of a shard whose output could not be read Bedrock may have charged all that was expected of it.
-- Walks job_begun, or job_begun_by, and their shards. $1 text currency, $2 int8 a job to leave out, $3 int8 only what this key began, NULL: all.
-- Gives model_id text, route text, input_tokens int8, output_tokens int8, estimated int8.
SELECT j.model_id, j.route, coalesce(sum(s.input_tokens) FILTER (WHERE over), 0), coalesce(sum(s.output_tokens) FILTER (WHERE over), 0),
       coalesce(sum(j.estimated_high_micros) FILTER (WHERE NOT over), 0)
  FROM (SELECT *, state IN ('completed', 'failed', 'cancelled') AS over FROM job
         WHERE greatest(launched_at, planned_at) >= date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
           AND launched_at IS NOT NULL AND select_mode <> 'import' AND id <> $2 AND ($3::int8 IS NULL OR key_id = $3) AND (currency = $1 OR currency IS NULL)) j
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(greatest(manifest_input_tokens, input_tokens, CASE WHEN unread THEN estimated_input_tokens END)), 0) AS input_tokens,
              coalesce(sum(greatest(manifest_output_tokens, output_tokens, CASE WHEN unread THEN estimated_output_tokens END)), 0) AS output_tokens
         FROM (SELECT *, state IN ('failed', 'cancelled') AND bedrock_arn IS NOT NULL AS unread FROM shard WHERE job_id = j.id) mine) s
 GROUP BY j.model_id, j.route
