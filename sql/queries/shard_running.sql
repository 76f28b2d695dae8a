-- What Bedrock works on, oldest submission first. Walks shard_in_flight. $1 int8 limit.  Columns: shard_row_read.
SELECT s.id, s.job_id, s.ordinal, s.state, s.record_count, s.staged_through, s.input_bytes, s.folder_uri, s.output_uri,
       s.bedrock_name, s.client_token, s.bedrock_arn, s.bedrock_status, s.bedrock_message, s.bedrock_processed,
       epoch_ms(s.submit_started_at), epoch_ms(s.create_sent_at), epoch_ms(s.submitted_at), s.ingest_round,
       s.succeeded, s.failed, s.missing, s.unknown_lines, s.malformed_lines, s.duplicate_lines, s.input_tokens, s.output_tokens,
       s.manifest_input_tokens, s.manifest_output_tokens, s.error::text, epoch_ms(s.created_at), epoch_ms(s.completed_at),
       j.state, s.staging, s.route, s.model_key, s.input_key, s.video_bytes, s.planned_input_bytes,
       s.folder_busy, s.cleanup, s.cleanup_problem::text
  FROM shard s JOIN job j ON j.id = s.job_id
 WHERE s.state = 'running' AND s.route = 'batch'
 ORDER BY s.submitted_at LIMIT $1
