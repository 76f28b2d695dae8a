-- A page of the videos of a prefix that can be run, in key order: the listing has nothing against them, and neither has the latest look
-- into them. Walks video_eligible from the name on.
-- $1 int8 prefix, $2 text after this name, $3 bool this name included, $4 int8 limit.  Columns: video_row_read.
SELECT v.id, v.prefix_id, v.size_bytes, epoch_ms(v.modified_at), epoch_ms(v.vanished_at), v.name, v.etag, v.reason,
       p.bucket, p.key_prefix, p.bucket_owner, p.region,
       epoch_ms(m.checked_at), m.duration_ms, m.width, m.height, m.container, m.codec, m.content_type, m.refusal
  FROM video v JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN video_media m ON m.video_id = v.id AND m.etag = v.etag
 WHERE v.prefix_id = $1 AND v.name >= $2 AND ($3::bool OR v.name <> $2) AND v.vanished_at IS NULL AND v.reason IS NULL
   AND m.refusal IS NULL
 ORDER BY v.name LIMIT $4
