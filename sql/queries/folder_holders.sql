-- The other shards that hold this folder, one inside it or one around it. Walks folder_lock_place through the bucket.
-- $1 text bucket, $2 text folder, $3 int8 shard that does not count.  Gives shard int8, input_key text or NULL.
SELECT l.shard_id, s.input_key
  FROM folder_lock l JOIN shard s ON s.id = l.shard_id
 WHERE l.bucket = $1 AND l.shard_id <> $3 AND (starts_with(l.folder, $2) OR starts_with($2, l.folder))
