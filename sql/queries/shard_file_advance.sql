-- A chunk of an output file is stored: moves the file's offset, if it is where the chunk began, and adds up. By primary keys.
-- $1 int8 shard, $2 text key, $3 int8 from, $4 int8 to, then int8 each: $5 succeeded, $6 failed, $7 unknown, $8 malformed, $9 duplicate
-- lines, $10 input and $11 output tokens.
WITH moved AS (
    UPDATE shard_file SET next_offset = $4 WHERE shard_id = $1 AND key = $2 AND next_offset = $3 RETURNING shard_id
)
UPDATE shard s
   SET succeeded = succeeded + $5, failed = failed + $6, unknown_lines = unknown_lines + $7,
       malformed_lines = malformed_lines + $8, duplicate_lines = duplicate_lines + $9,
       input_tokens = input_tokens + $10, output_tokens = output_tokens + $11
  FROM moved WHERE s.id = moved.shard_id
