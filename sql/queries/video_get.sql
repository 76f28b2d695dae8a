-- One video, also of a deleted prefix. $1 int8 id. By primary key.  Columns: video_row_read.
SELECT v.id, v.prefix_id, v.size_bytes, epoch_ms(v.modified_at), epoch_ms(v.vanished_at), v.name, v.etag, v.reason,
       p.bucket, p.key_prefix, p.bucket_owner, p.region,
       epoch_ms(m.checked_at), m.duration_ms, m.width, m.height, m.container, m.codec, m.content_type, m.refusal
  FROM video v JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN video_media m ON m.video_id = v.id AND m.etag = v.etag
 WHERE v.id = $1
