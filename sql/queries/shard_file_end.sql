-- An output file is done with. By shard_file_id. $1 int8 id, $2 jsonb error or NULL (all of it is stored).
UPDATE shard_file SET ended_at = now(), error = $2::jsonb WHERE id = $1
