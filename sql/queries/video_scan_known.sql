-- What is known of a stretch of a prefix's names, in their order. Walks video_place.
-- $1 int8 prefix, $2 text after this name, $3 bool or at it, $4 text through this name, $5 int8 limit.
-- Gives id int8, name text, size_bytes int8, modified_at int8, etag text, reason text, vanished bool.
SELECT id, name, size_bytes, epoch_ms(modified_at), etag, reason, vanished_at IS NOT NULL
  FROM video
 WHERE prefix_id = $1 AND name >= $2 AND (name > $2 OR $3) AND name <= $4
 ORDER BY name LIMIT $5
