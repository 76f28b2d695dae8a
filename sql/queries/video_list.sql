-- A page of the videos of a prefix, in key order: walks video_eligible and video_refused from the name on, each for at most a page, so
-- that vanished ones, however many, are never read. $1 int8 prefix, $2 text after this name, $3 bool this name included, $4 int8 limit.
-- Columns: video_row_read.
SELECT v.id, v.prefix_id, v.size_bytes, epoch_ms(v.modified_at), epoch_ms(v.vanished_at), v.name, v.etag, v.reason,
       p.bucket, p.key_prefix, p.bucket_owner, p.region,
       epoch_ms(m.checked_at), m.duration_ms, m.width, m.height, m.container, m.codec, m.content_type, m.refusal
  FROM ((SELECT * FROM video
          WHERE prefix_id = $1 AND name >= $2 AND ($3::bool OR name <> $2) AND vanished_at IS NULL AND reason IS NULL
          ORDER BY name LIMIT $4)
        UNION ALL
        (SELECT * FROM video
          WHERE prefix_id = $1 AND name >= $2 AND ($3::bool OR name <> $2) AND vanished_at IS NULL AND reason IS NOT NULL
          ORDER BY name LIMIT $4)) v
  JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN video_media m ON m.video_id = v.id AND m.etag = v.etag
 ORDER BY v.name LIMIT $4
