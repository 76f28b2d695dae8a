-- The shards that are next. Walks shard_in_flight. $1 text model key, $2 int8 how many.  Gives shard int8.
SELECT shard_id FROM slot_queue WHERE model_key = $1 AND position <= $2 ORDER BY position
