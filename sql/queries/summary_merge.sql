-- Merges the table of new rows: what is there is replaced by a later round, but a success never by anything else; a success replaces a
-- failure of its own round too. Of two new rows of
-- one record the success counts. Scans the new rows; summary by its key.
INSERT INTO summary AS old (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, input_tokens, output_tokens,
                            error_code, error_retryable, text_altered, stop_reason, error_reason, error_message, text, summary, thinking)
SELECT DISTINCT ON (record_id) record_id, job_id, shard_id, video_id, created_at, state, ingest_round, input_tokens, output_tokens,
       error_code, error_retryable, text_altered, stop_reason, error_reason, error_message, text, summary, thinking
  FROM summary_new
 ORDER BY record_id, (state = 'succeeded') DESC
ON CONFLICT (record_id) DO UPDATE
   SET job_id = excluded.job_id, shard_id = excluded.shard_id, video_id = excluded.video_id, created_at = excluded.created_at,
       state = excluded.state, ingest_round = excluded.ingest_round, input_tokens = excluded.input_tokens,
       output_tokens = excluded.output_tokens, error_code = excluded.error_code, error_retryable = excluded.error_retryable,
       text_altered = excluded.text_altered, stop_reason = excluded.stop_reason, error_reason = excluded.error_reason,
       error_message = excluded.error_message, text = excluded.text, summary = excluded.summary, thinking = excluded.thinking
 WHERE (excluded.ingest_round > old.ingest_round AND (excluded.state = 'succeeded' OR old.state <> 'succeeded'))
    OR (excluded.ingest_round = old.ingest_round AND excluded.state = 'succeeded' AND old.state <> 'succeeded')
