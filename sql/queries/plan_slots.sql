-- Bedrock jobs that are, or may be, ours now, of one model. Scans shard_in_flight. $1 text model key.  Gives count int8.
SELECT count(*) FROM shard
 WHERE (state = 'running' OR (state = 'submitting' AND submit_started_at IS NOT NULL)) AND route = 'batch' AND model_key = $1
