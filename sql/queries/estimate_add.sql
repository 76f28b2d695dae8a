-- A shard ended, nearly all of it well: what was estimated for the records that succeeded and what they took is added to its model's sums,
-- once. Bedrock's own count is of all records; where some have no answer, the lines' counts are held against their part. Where the plan did not look at the
-- videos, its input tokens were a guess at their lengths, from which nothing is to be learned. By keys.
-- $1 int8 shard, $2 text Region.
WITH taken AS (
    UPDATE shard s SET estimate_stored = true
      FROM job j
     WHERE s.id = $1 AND j.id = s.job_id AND NOT estimate_stored AND s.model_key <> '' AND estimated_input_tokens > 0 AND succeeded > 0
       AND succeeded * 10 >= (succeeded + failed + missing) * 9
    RETURNING s.model_key, succeeded,
              CASE WHEN j.preflight = 'full' THEN estimated_input_tokens * succeeded / (succeeded + failed + missing) ELSE 0 END AS estimated_input_tokens,
              estimated_output_tokens * succeeded / (succeeded + failed + missing) AS estimated_output_tokens,
              CASE WHEN j.preflight <> 'full' THEN 0
                   WHEN failed + missing = 0 THEN coalesce(manifest_input_tokens, input_tokens) ELSE input_tokens END AS input_tokens,
              CASE WHEN failed + missing = 0 THEN coalesce(manifest_output_tokens, output_tokens) ELSE output_tokens END AS output_tokens)
INSERT INTO estimate_fit AS f (model_key, region, shards, records, estimated_input_tokens, input_tokens, estimated_output_tokens, output_tokens)
SELECT model_key, $2, 1, succeeded, estimated_input_tokens, input_tokens, estimated_output_tokens, output_tokens FROM taken
ON CONFLICT (model_key, region) DO UPDATE
   SET shards = f.shards + 1, records = f.records + excluded.records,
       estimated_input_tokens = f.estimated_input_tokens + excluded.estimated_input_tokens,
       input_tokens = f.input_tokens + excluded.input_tokens,
       estimated_output_tokens = f.estimated_output_tokens + excluded.estimated_output_tokens,
       output_tokens = f.output_tokens + excluded.output_tokens, updated_at = now()
