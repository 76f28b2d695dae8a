-- A page of a shard's records with what is stored of them. Walks record_by_shard; summary by its key.
-- $1 int8 shard, $2 int8 after this id, $3 int8 limit.  Gives id int8, video_id int8, round int4 (0: none), has_row bool,
-- has_success bool.
SELECT r.id, r.video_id, coalesce(s.ingest_round, 0), s.record_id IS NOT NULL, s.state IS NOT DISTINCT FROM 'succeeded'
  FROM (SELECT id, video_id FROM record WHERE shard_id = $1 AND id > $2 ORDER BY id LIMIT $3) r
  LEFT JOIN summary s ON s.record_id = r.id
 ORDER BY r.id
