-- Adds the videos of import_records that are not known yet under the longest prefix that holds them, as not seen by a scan. Walks import_line_by_job;
-- prefix_place and video_place for each. $1 int8 job.
INSERT INTO video (prefix_id, size_bytes, modified_at, vanished_at, name, etag)
SELECT DISTINCT p.id, 0, now(), now(), substr(l.key, length(p.key_prefix) + 1), ''
  FROM (SELECT DISTINCT ON (source_id) bucket, key FROM import_line WHERE job_id = $1 ORDER BY source_id, key) l
 CROSS JOIN LATERAL (SELECT id, key_prefix FROM prefix
                      WHERE bucket = l.bucket AND deleted_at IS NULL AND starts_with(l.key, key_prefix)
                        AND length(l.key) > length(key_prefix)
                      ORDER BY length(key_prefix) DESC LIMIT 1) p
ON CONFLICT (prefix_id, name) DO NOTHING
