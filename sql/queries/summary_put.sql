-- Stores one row by the rule of summary_merge. $1 to $18 in the order of the columns.
INSERT INTO summary AS old (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, input_tokens, output_tokens,
                            error_code, error_retryable, text_altered, stop_reason, error_reason, error_message, text, summary, thinking)
VALUES ($1, $2, $3, $4, $5, $6::summary_state, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (record_id) DO UPDATE
   SET job_id = excluded.job_id, shard_id = excluded.shard_id, video_id = excluded.video_id, created_at = excluded.created_at,
       state = excluded.state, ingest_round = excluded.ingest_round, input_tokens = excluded.input_tokens,
       output_tokens = excluded.output_tokens, error_code = excluded.error_code, error_retryable = excluded.error_retryable,
       text_altered = excluded.text_altered, stop_reason = excluded.stop_reason, error_reason = excluded.error_reason,
       error_message = excluded.error_message, text = excluded.text, summary = excluded.summary, thinking = excluded.thinking
 WHERE (excluded.ingest_round > old.ingest_round AND (excluded.state = 'succeeded' OR old.state <> 'succeeded'))
    OR (excluded.ingest_round = old.ingest_round AND excluded.state = 'succeeded' AND old.state <> 'succeeded')
