-- The videos of records up to this id are copied; never back. $1 int8 id, $2 int8 record.
UPDATE shard SET staged_through = greatest(staged_through, $2) WHERE id = $1
