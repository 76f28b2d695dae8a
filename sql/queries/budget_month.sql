-- What this calendar month's (UTC) jobs cost: by model and route what those that ended really took, and what the rest may take at most.
-- Walks job_launched and their shards. $1 text currency, $2 int8 a job to leave out.
-- Gives model_id text, route text, input_tokens int8, output_tokens int8, estimated int8.
SELECT j.model_id, j.route, coalesce(sum(s.input_tokens) FILTER (WHERE over), 0), coalesce(sum(s.output_tokens) FILTER (WHERE over), 0),
       coalesce(sum(j.estimated_high_micros) FILTER (WHERE NOT over), 0)
  FROM (SELECT *, state IN ('completed', 'failed', 'cancelled') AS over FROM job
         WHERE launched_at >= date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AND id <> $2
           AND (currency = $1 OR currency IS NULL)) j
 CROSS JOIN LATERAL (SELECT coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens
                       FROM shard WHERE job_id = j.id) s
 GROUP BY j.model_id, j.route
