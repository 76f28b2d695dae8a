-- A page of succeeded summaries that hold the words, newest first, with a snippet (hits between U+E000 and U+E001). There is no index
-- of words yet: walks the primary key, or summary_by_job, backward and reads each text until the page is full; statement_timeout
-- bounds it. OFFSET 0 keeps the words' condition out of the walk, for the planner would rather sort all hits than stop at the page's
-- last. Snippets are made for the page alone.
-- $1 text words (websearch syntax) or NULL, $2 int8 prefix or NULL, $3 int8 job or NULL, $4 timestamptz from or NULL, $5 timestamptz
-- to or NULL, $6 int8 before this record, $7 int8 limit.  Columns: summary_row_read.
WITH page AS MATERIALIZED (
    SELECT *
      FROM (SELECT * FROM summary
             WHERE state = 'succeeded' AND record_id < $6 AND ($3::int8 IS NULL OR job_id = $3)
               AND ($2::int8 IS NULL OR job_id IN (SELECT id FROM job WHERE prefix_id = $2))
               AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at < $5)
             ORDER BY record_id DESC OFFSET 0) newest
     WHERE $1::text IS NULL OR to_tsvector('simple', coalesce(summary, text)) @@ websearch_to_tsquery('simple', $1)
     LIMIT $7
)
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id,
       CASE WHEN $1::text IS NOT NULL THEN
           ts_headline('simple', coalesce(s.summary, s.text), websearch_to_tsquery('simple', $1),
                       U&'StartSel=\E000, StopSel=\E001, MaxFragments=2, MinWords=8, MaxWords=25, ShortWord=0, FragmentDelimiter=" \2026 "')
       END
  FROM page s
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  JOIN job j ON j.id = s.job_id
 ORDER BY s.record_id DESC
