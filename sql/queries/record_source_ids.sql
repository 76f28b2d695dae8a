-- A page of what another tool called a shard's records. Walks record_by_shard. $1 int8 shard, $2 int8 after this id, $3 int8 limit.
-- Gives id int8, source_id text.
SELECT id, source_id FROM record WHERE shard_id = $1 AND id > $2 ORDER BY id LIMIT $3
