-- What was read of a shard's files cannot be trusted: all are read from the start. $1 int8 shard.
UPDATE shard_file SET next_offset = 0 WHERE shard_id = $1
