-- One video, also of a deleted prefix. $1 int8 id. By primary key.  Columns: video_row_read.
SELECT v.id, v.prefix_id, v.size_bytes, epoch_ms(v.modified_at), epoch_ms(v.vanished_at), v.name, v.etag, v.reason,
       p.bucket, p.key_prefix, p.bucket_owner
  FROM video v JOIN prefix p ON p.id = v.prefix_id
 WHERE v.id = $1
