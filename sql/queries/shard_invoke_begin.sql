-- The copies of a shard that is asked video by video are complete. $1 int8 id.
UPDATE shard SET state = 'running', submitted_at = now() WHERE id = $1 AND state = 'submitting' AND route = 'on_demand'
