-- Begins a round of ingest of a shard that Bedrock has had, or whose output was imported: counters at zero, files forgotten, and what was told of them. By primary keys.
-- $1 int8 id.  Gives count int8: 0 when it is in no state for that.
WITH moved AS (
    UPDATE shard
       SET state = 'ingesting', ingest_round = ingest_round + 1, succeeded = 0, failed = 0, missing = 0, unknown_lines = 0,
           malformed_lines = 0, duplicate_lines = 0, input_tokens = 0, output_tokens = 0, manifest_input_tokens = NULL,
           manifest_output_tokens = NULL, error = NULL, completed_at = NULL
     WHERE id = $1 AND (bedrock_arn IS NOT NULL OR (staging = 'none' AND record_count > 0)) AND state IN ('running', 'ingesting', 'completed', 'failed', 'cancelled')
    RETURNING id
), forgotten AS (
    DELETE FROM shard_file f USING moved WHERE f.shard_id = moved.id RETURNING f.id
), given_up AS (
    DELETE FROM task t USING forgotten f WHERE t.kind = 'ingest_file' AND t.subject_id = f.id AND t.state = 'dead'
), unread AS (
    DELETE FROM unread_line l USING moved WHERE l.shard_id = moved.id
)
SELECT count(*) FROM moved
