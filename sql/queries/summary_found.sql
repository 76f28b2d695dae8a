-- The rows of hits, in their order, with snippets (hits between U+E000 and U+E001). By keys.
-- $1 int8[] records, $2 text words (websearch syntax).  Columns: summary_row_read.
SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id,
       ts_headline('simple', coalesce(s.summary, s.text), (SELECT websearch_to_tsquery('simple', $2)),
                   U&'StartSel=\E000, StopSel=\E001, MaxFragments=2, MinWords=8, MaxWords=25, ShortWord=0, FragmentDelimiter=" \2026 "')
  FROM unnest($1::int8[]) WITH ORDINALITY hit (record_id, place)
  JOIN summary s ON s.record_id = hit.record_id AND s.state = 'succeeded'
  JOIN video v ON v.id = s.video_id
  JOIN prefix p ON p.id = v.prefix_id
  JOIN job j ON j.id = s.job_id
 ORDER BY hit.place
