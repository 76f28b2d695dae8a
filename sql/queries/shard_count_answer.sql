-- One more record of a running shard has its row, so that what held it up is past.
-- $1 int8 id, $2 bool succeeded, $3 int8 input tokens, $4 int8 output tokens.
UPDATE shard
   SET succeeded = succeeded + CASE WHEN $2 THEN 1 ELSE 0 END, failed = failed + CASE WHEN $2 THEN 0 ELSE 1 END,
       input_tokens = input_tokens + $3, output_tokens = output_tokens + $4, error = NULL
 WHERE id = $1 AND state = 'running'
