-- What manifest.json.out says. $1 int8 id, $2 int8 input tokens, $3 int8 output tokens.
UPDATE shard SET manifest_input_tokens = $2, manifest_output_tokens = $3 WHERE id = $1
