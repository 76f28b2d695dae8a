-- One output file. $1 int8 id. By shard_file_id.  Gives id int8, shard_id int8, key text, ended bool, error text.
SELECT id, shard_id, key, ended_at IS NOT NULL, error::text FROM shard_file WHERE id = $1
