-- A record for each recordId, of the first line that names it. The ETag that the model saw is not known: ''. Walks import_line_by_job;
-- prefix_place and video_place for each. $1 int8 job, $2 int8 shard.
INSERT INTO record (job_id, shard_id, video_id, etag, source_id)
SELECT $1, $2, v.id, '', l.source_id
  FROM (SELECT DISTINCT ON (source_id) source_id, bucket, key FROM import_line WHERE job_id = $1 ORDER BY source_id, key) l
 CROSS JOIN LATERAL (SELECT id, key_prefix FROM prefix
                      WHERE bucket = l.bucket AND deleted_at IS NULL AND starts_with(l.key, key_prefix)
                        AND length(l.key) > length(key_prefix)
                      ORDER BY length(key_prefix) DESC LIMIT 1) p
  JOIN video v ON v.prefix_id = p.id AND v.name = substr(l.key, length(p.key_prefix) + 1)
 ORDER BY l.key, l.source_id
