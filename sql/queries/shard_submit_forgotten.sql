-- For certain AWS knows nothing of the shard: it refused, or the job did not show up in time. $1 int8 id.
UPDATE shard SET submit_started_at = NULL, create_sent_at = NULL WHERE id = $1 AND state = 'submitting' AND bedrock_arn IS NULL
