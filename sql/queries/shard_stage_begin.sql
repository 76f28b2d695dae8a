-- Staging begins: what will be written is stored before it is. By primary key. $1 int8 id, $2 text key of the JSONL or NULL.
UPDATE shard SET state = 'staging', folder_busy = false, input_key = $2, cleanup = NULL, cleanup_problem = NULL
 WHERE id = $1 AND state = 'planned'
