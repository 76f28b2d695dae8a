-- A page of what would be taken and has not been looked into. Walks plan_video.
-- $1 int8 prefix, $2 int4 after this number, $3 int8 limit.  Gives id int8, key text, etag text, size_bytes int8, n int4.
SELECT t.id, p.key_prefix || t.name, t.etag, t.size_bytes, t.n
  FROM plan_video t CROSS JOIN prefix p
 WHERE p.id = $1 AND t.n > $2 AND t.reason IS NULL AND NOT t.looked
 ORDER BY t.n LIMIT $3
