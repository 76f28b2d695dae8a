-- Rows of summary that are new, in summary_store_add's order of columns.
COPY summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, input_tokens, output_tokens,
              error_code, error_retryable, text_altered, stop_reason, error_reason, error_message, text, summary, thinking)
FROM STDIN (FORMAT binary)
