-- The first record of a job. Walks record_by_shard. $1 int8 job.  Gives record id int8, key text, folder of its shard text.
SELECT r.id, p.key_prefix || v.name, s.folder_uri
  FROM shard s JOIN LATERAL (SELECT id, video_id FROM record WHERE shard_id = s.id ORDER BY id LIMIT 1) r ON true
  JOIN video v ON v.id = r.video_id
  JOIN prefix p ON p.id = v.prefix_id
 WHERE s.job_id = $1 AND s.ordinal = 0
