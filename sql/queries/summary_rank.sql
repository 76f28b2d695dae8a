-- Hits in the order of how well they match. By keys.
-- $1 int8[] records, $2 text words (websearch syntax).  Gives record_id int8.
SELECT w.record_id
  FROM unnest($1::int8[]) hit (record_id)
  JOIN summary_word w ON w.record_id = hit.record_id
 ORDER BY ts_rank(w.words, (SELECT websearch_to_tsquery('simple', $2))) DESC, w.record_id DESC
