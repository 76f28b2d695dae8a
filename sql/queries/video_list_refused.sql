-- A page of the videos of a prefix that cannot be run, in key order: walks video_refused from the name on, for what the listing had
-- against them, and video_media_refused, too from the name on, for what the latest look into them found.
-- $1 int8 prefix, $2 text after this name, $3 bool this name included, $4 int8 limit.  Columns: video_row_read.
SELECT v.id, v.prefix_id, v.size_bytes, epoch_ms(v.modified_at), epoch_ms(v.vanished_at), v.name, v.etag, v.reason,
       p.bucket, p.key_prefix, p.bucket_owner, p.region,
       epoch_ms(m.checked_at), m.duration_ms, m.width, m.height, m.container, m.codec, m.content_type, m.refusal
  FROM ((SELECT * FROM video
          WHERE prefix_id = $1 AND name >= $2 AND ($3::bool OR name <> $2) AND vanished_at IS NULL AND reason IS NOT NULL
          ORDER BY name LIMIT $4)
        UNION ALL
        (SELECT seen.* FROM video_media look JOIN video seen ON seen.id = look.video_id AND seen.etag = look.etag
          WHERE look.refusal IS NOT NULL AND look.refused_prefix_id = $1 AND look.refused_name >= $2
            AND ($3::bool OR look.refused_name <> $2) AND seen.vanished_at IS NULL AND seen.reason IS NULL
          ORDER BY look.refused_name LIMIT $4)) v
  JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN video_media m ON m.video_id = v.id AND m.etag = v.etag
 ORDER BY v.name LIMIT $4
