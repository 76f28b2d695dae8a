-- One summary with its provenance. $1 int8 record. By keys.  Columns: summary_row_read.
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id,
       r.etag, j.prompt, j.system, sh.route, sh.bedrock_arn, j.max_tokens, j.temperature, j.top_p, j.top_k
  FROM summary s
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  JOIN job j ON j.id = s.job_id
  JOIN record r ON r.id = s.record_id
  JOIN shard sh ON sh.id = s.shard_id
 WHERE s.record_id = $1
