-- Shards that wait for a folder. Walks shard_folder_busy.  Gives shard int8.
SELECT id FROM shard WHERE folder_busy AND state = 'planned' ORDER BY id
