-- The shard gives its folder back, unless a worker may still be writing there. By primary keys. $1 int8 shard.
DELETE FROM folder_lock
 WHERE shard_id = $1
   AND NOT EXISTS (SELECT FROM task WHERE kind = 'stage' AND subject_id = $1 AND state <> 'dead')
