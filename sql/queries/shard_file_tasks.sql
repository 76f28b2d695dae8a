-- A task for each output file of a shard that is still to be stored. Walks the primary key. $1 int8 shard.
INSERT INTO task (kind, subject_id) SELECT 'ingest_file', id FROM shard_file WHERE shard_id = $1 AND ended_at IS NULL ORDER BY key
ON CONFLICT DO NOTHING
