-- A page of succeeded summaries that hold the words, newest first, with a snippet (hits between U+E000 and U+E001). There is no index
-- of words yet: walks the primary key, or summary_by_job, backward and reads each text until the page is full; statement_timeout
-- bounds it. Snippets are made for the page alone.
-- $1 text words (websearch syntax) or NULL, $2 int8 prefix or NULL, $3 int8 job or NULL, $4 timestamptz from or NULL, $5 timestamptz
-- to or NULL, $6 int8 before this record, $7 int8 limit.  Columns: summary_row_read.
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id,
       CASE WHEN $1::text IS NOT NULL THEN
           ts_headline('simple', coalesce(s.summary, s.text), websearch_to_tsquery('simple', $1),
                       U&'StartSel=\E000, StopSel=\E001, MaxFragments=2, MinWords=8, MaxWords=25, FragmentDelimiter=" \2026 "')
       END
  FROM (SELECT f.*
          FROM summary f JOIN job fj ON fj.id = f.job_id
         WHERE f.state = 'succeeded' AND f.record_id < $6
           AND ($2::int8 IS NULL OR fj.prefix_id = $2) AND ($3::int8 IS NULL OR f.job_id = $3)
           AND ($4::timestamptz IS NULL OR f.created_at >= $4) AND ($5::timestamptz IS NULL OR f.created_at < $5)
           AND ($1::text IS NULL OR to_tsvector('simple', coalesce(f.summary, f.text)) @@ websearch_to_tsquery('simple', $1))
         ORDER BY f.record_id DESC LIMIT $7) s
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  JOIN job j ON j.id = s.job_id
 ORDER BY s.record_id DESC
