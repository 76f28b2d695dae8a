-- The models that shards wait for. Walks shard_waiting.  Gives model key text.
SELECT DISTINCT model_key FROM shard WHERE route = 'batch' AND state = 'submitting' AND submit_started_at IS NULL
