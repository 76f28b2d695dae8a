-- Shall the indexing of a shard wait? While answers are being stored it does, for they come first; but not for ever. By primary key, and
-- task by its kinds.
-- $1 int8 shard, $2 int8 patience in milliseconds.  Gives must_wait int8, 0 or 1.
SELECT count(*) FROM shard_index
 WHERE shard_id = $1 AND since > now() - $2::int8 * interval '1 millisecond'
   AND EXISTS (SELECT FROM task WHERE kind IN ('ingest', 'ingest_file') AND (state = 'running' OR (state = 'ready' AND run_at <= now())))
