-- What became of what staging wrote. By primary key. $1 int8 id, $2 text "removed", "kept" or "failed", $3 jsonb problem or NULL.
UPDATE shard SET cleanup = $2, cleanup_problem = $3::jsonb, folder_busy = false WHERE id = $1
