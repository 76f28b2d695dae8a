-- The first output file of a shard that was given up. Walks the primary key. $1 int8 shard.  Gives id int8, shard_id int8, key text, ended bool, error text.
SELECT id, shard_id, key, ended_at IS NOT NULL, error::text
  FROM shard_file WHERE shard_id = $1 AND error IS NOT NULL ORDER BY key LIMIT 1
