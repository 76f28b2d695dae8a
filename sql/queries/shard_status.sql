-- Bedrock's view of a running shard; what is the same is not written again. The count of processed records only grows: AWS may leave
-- it out (-1).
-- $1 int8 id, $2 text status, $3 text message or NULL, $4 int8 records processed.
UPDATE shard
   SET bedrock_status = $2, bedrock_message = $3, bedrock_processed = greatest(coalesce(bedrock_processed, 0), $4)
 WHERE id = $1 AND state = 'running'
   AND ((bedrock_status, bedrock_message) IS DISTINCT FROM ($2, $3) OR coalesce(bedrock_processed, 0) < $4)
