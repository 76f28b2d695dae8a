-- How many other shards hold this folder, one inside it or one around it. Walks folder_lock_place through the bucket.
-- $1 text bucket, $2 text folder, $3 int8 shard that does not count.  Gives count int8.
SELECT count(*) FROM folder_lock
 WHERE bucket = $1 AND shard_id <> $3 AND (starts_with(folder, $2) OR starts_with($2, folder))
