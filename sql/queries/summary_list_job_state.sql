-- A page of a job's summaries in one state. Planned for the state: walks summary_by_job, or summary_not_succeeded; the rest by keys.
-- $1 int8 job, $2 summary_state state, $3 int8 after this record, $4 int8 limit.  Columns: summary_row_read.
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id
  FROM (SELECT * FROM summary
         WHERE job_id = $1 AND record_id > $3 AND state = $2::summary_state
         ORDER BY record_id LIMIT $4) s
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  JOIN job j ON j.id = s.job_id
 ORDER BY s.record_id
