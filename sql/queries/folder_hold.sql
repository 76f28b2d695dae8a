-- The shard holds the folder; doing it again changes nothing. $1 int8 shard, $2 text bucket, $3 text folder.
INSERT INTO folder_lock (shard_id, bucket, folder) VALUES ($1, $2, $3) ON CONFLICT (shard_id) DO NOTHING
