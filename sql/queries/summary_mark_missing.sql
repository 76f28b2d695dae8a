-- A row for each record of a shard that has none; one that says so since an earlier round says it anew. Walks record_by_shard; summary
-- by its key or once.
-- $1 int8 shard, $2 int4 round, $3 text reason, $4 text message.
INSERT INTO summary AS old (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered, error_reason,
                            error_message)
SELECT r.id, r.job_id, r.shard_id, r.video_id, now(), 'missing', $2, false, $3, $4
  FROM record r
 WHERE r.shard_id = $1
   AND NOT EXISTS (SELECT FROM summary s WHERE s.record_id = r.id AND (s.state <> 'missing' OR s.ingest_round >= $2))
 ORDER BY r.id
ON CONFLICT (record_id) DO UPDATE
   SET created_at = excluded.created_at, ingest_round = excluded.ingest_round, error_reason = excluded.error_reason,
       error_message = excluded.error_message
 WHERE old.state = 'missing' AND old.ingest_round < excluded.ingest_round
