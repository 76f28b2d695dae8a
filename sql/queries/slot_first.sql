-- The shards that are next, but for those whose last try failed: they come back by themselves, each after a pause of its own. Walks
-- shard_waiting. $1 text model key, $2 int8 how many.  Gives shard int8.
SELECT shard_id FROM slot_queue WHERE model_key = $1 AND position <= $2 AND NOT has_failed ORDER BY position
