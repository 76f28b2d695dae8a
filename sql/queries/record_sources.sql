-- A page of what is to be staged. Walks record_by_shard; video and summary by their keys.
-- $1 int8 shard, $2 int8 after this id, $3 int8 limit.
-- Gives id int8, video_id int8, size_bytes int8, key text, etag text, has_summary bool.
SELECT r.id, r.video_id, v.size_bytes, p.key_prefix || v.name, r.etag, s.record_id IS NOT NULL
  FROM (SELECT id, video_id, etag FROM record WHERE shard_id = $1 AND id > $2 ORDER BY id LIMIT $3) r
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
  LEFT JOIN summary s ON s.record_id = r.id
 ORDER BY r.id
