-- How many output files of a shard are still to be stored. Walks the primary key. $1 int8 shard.  Gives count int8.
SELECT count(*) FROM shard_file WHERE shard_id = $1 AND ended_at IS NULL
