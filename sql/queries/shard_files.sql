-- The output files of a shard, by key. $1 int8 shard. By primary key.  Columns: shard_file_row_read.
SELECT key, etag, size_bytes, next_offset FROM shard_file WHERE shard_id = $1 ORDER BY key
