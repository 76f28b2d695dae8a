-- AWS refused the only attempt so far: it knows nothing of the shard. $1 int8 id.
UPDATE shard SET submit_started_at = NULL WHERE id = $1 AND state = 'submitting' AND bedrock_arn IS NULL
