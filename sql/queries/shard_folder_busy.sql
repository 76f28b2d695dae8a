-- Another shard holds the folder. $1 int8 id.
UPDATE shard SET folder_busy = true WHERE id = $1 AND state = 'planned' AND NOT folder_busy
