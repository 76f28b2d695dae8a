-- How far a shard is indexed; locks the row. By primary key.
-- $1 int8 shard.  Gives through int8; no row where there is nothing to index (any more).
SELECT through FROM shard_index WHERE shard_id = $1 AND since IS NOT NULL FOR UPDATE
