-- A page of a job's summaries. Walks summary_by_job from a place on: the comparison of both columns makes it the only index in this
-- order. Video, prefix and job by keys, row by row (OFFSET 0 bars other joins). The parameters stand in selects of their own, where the
-- planner does not look at them: so the plan kept with the statement is never dearer in its eyes than one made anew, which would cost as
-- much as the page.
-- $1 int8 job, $2 int8 after this record, $3 int8 limit.  Columns: summary_row_read.
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       v.bucket, v.key_prefix, v.name, j.model_id
  FROM (SELECT * FROM summary
         WHERE (job_id, record_id) > ((SELECT $1::int8), (SELECT $2::int8)) AND job_id <= (SELECT $1::int8)
         ORDER BY job_id, record_id LIMIT (SELECT $3::int8)) s
 CROSS JOIN LATERAL (SELECT video.name, p.bucket, p.key_prefix
                       FROM video JOIN prefix p ON p.id = video.prefix_id WHERE video.id = s.video_id OFFSET 0) v
 CROSS JOIN LATERAL (SELECT model_id FROM job WHERE id = s.job_id OFFSET 0) j
 ORDER BY s.job_id, s.record_id
