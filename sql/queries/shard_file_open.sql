-- Adds an output file, or finds how far it was read; one whose ETag changed is read from the start. By primary key.
-- $1 int8 shard, $2 text key, $3 text etag, $4 int8 bytes.  Gives next_offset int8.
INSERT INTO shard_file AS f (shard_id, key, etag, size_bytes) VALUES ($1, $2, $3, $4)
ON CONFLICT (shard_id, key) DO UPDATE
   SET next_offset = CASE WHEN f.etag = excluded.etag THEN f.next_offset ELSE 0 END,
       ended_at = CASE WHEN f.etag = excluded.etag THEN f.ended_at END,
       error = CASE WHEN f.etag = excluded.etag THEN f.error END,
       etag = excluded.etag, size_bytes = excluded.size_bytes
RETURNING next_offset
