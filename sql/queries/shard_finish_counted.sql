-- Ends a shard whose counters account for every record: its first ingest, in which each record had one line and none had a row before.
-- Then there is nothing to be counted. By its key.
-- $1 int8 id, $2 text state, $3 jsonb error or NULL (none).
UPDATE shard
   SET state = $2, error = $3::jsonb, completed_at = now(), missing = 0
 WHERE id = $1 AND state = 'ingesting' AND ingest_round = 1 AND duplicate_lines = 0 AND succeeded + failed = record_count
