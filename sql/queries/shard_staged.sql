-- The input is complete. $1 int8 id, $2 int8 bytes of the JSONL.
UPDATE shard SET state = 'submitting', input_bytes = $2 WHERE id = $1 AND state = 'staging'
