-- Bedrock has it. $1 int8 id, $2 text ARN, $3 text status.
UPDATE shard SET state = 'running', bedrock_arn = $2, bedrock_status = $3, submitted_at = now(), error = NULL
 WHERE id = $1 AND state = 'submitting'
