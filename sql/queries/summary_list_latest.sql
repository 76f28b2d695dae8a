-- A page of succeeded summaries, newest first. Walks the primary key, or summary_by_job, backward. A job's videos lie under its prefix, but
-- those of an import may lie under several: there each video is asked, by key.
-- $1 int8 prefix or NULL, $2 int8 job or NULL, $3 timestamptz from or NULL, $4 timestamptz to or NULL, $5 int8 before this record,
-- $6 int8 limit, $7 int8[] only of these prefixes, NULL: all.  Columns: summary_row_read.
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id, NULL
  FROM (SELECT * FROM summary
         WHERE state = 'succeeded' AND record_id < $5 AND ($2::int8 IS NULL OR job_id = $2)
           AND ($1::int8 IS NULL OR job_id IN (SELECT id FROM job WHERE prefix_id = $1 AND import_output_uri IS NULL)
                OR (job_id IN (SELECT id FROM job WHERE import_output_uri IS NOT NULL)
                    AND (SELECT prefix_id FROM video WHERE id = video_id) = $1))
           AND ($7::int8[] IS NULL OR job_id IN (SELECT id FROM job WHERE prefix_id = ANY($7) AND import_output_uri IS NULL)
                OR (job_id IN (SELECT id FROM job WHERE import_output_uri IS NOT NULL)
                    AND (SELECT prefix_id FROM video WHERE id = video_id) = ANY($7)))
           AND ($3::timestamptz IS NULL OR created_at >= $3) AND ($4::timestamptz IS NULL OR created_at < $4)
         ORDER BY record_id DESC LIMIT $6) s
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  JOIN job j ON j.id = s.job_id
 ORDER BY s.record_id DESC
