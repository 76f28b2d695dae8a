-- What was considered. Scans plan_video.
-- Gives considered int8, taken int8, those of the rest that could be run int8.
SELECT count(*), count(*) FILTER (WHERE reason IS NULL),
       count(*) FILTER (WHERE reason IN ('has_summary', 'in_progress', 'not_failed'))
  FROM plan_video
