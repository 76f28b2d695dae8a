-- A page of what is taken with what S3 says it is. Walks plan_video; video_media by its key.
-- $1 int8 prefix, $2 int4 after this number, $3 int8 limit.  Gives key text, content type text or NULL, n int4.
SELECT p.key_prefix || t.name, m.content_type, t.n
  FROM (SELECT * FROM plan_video WHERE n > $2 AND reason IS NULL ORDER BY n LIMIT $3) t
 CROSS JOIN prefix p
  LEFT JOIN video_media m ON m.video_id = t.id AND m.etag = t.etag
 WHERE p.id = $1
 ORDER BY t.n
