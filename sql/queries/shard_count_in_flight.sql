-- Bedrock jobs that are, or may be, ours now. Scans shard_in_flight.  Gives count int8.
SELECT count(*) FROM shard WHERE state = 'running' OR (state = 'submitting' AND submit_started_at IS NOT NULL)
