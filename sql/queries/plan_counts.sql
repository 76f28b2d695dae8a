-- What was considered. Scans plan_video.
-- Gives considered int8, taken int8, those of the rest that could be run int8, those of them that a job is working on int8; of what is
-- taken: bytes int8, known milliseconds int8, videos of unknown length int8.
SELECT count(*), count(*) FILTER (WHERE reason IS NULL),
       count(*) FILTER (WHERE reason IN ('has_summary', 'in_progress', 'not_failed')), count(*) FILTER (WHERE reason = 'in_progress'),
       coalesce(sum(size_bytes) FILTER (WHERE reason IS NULL), 0)::int8, coalesce(sum(duration_ms) FILTER (WHERE reason IS NULL), 0)::int8,
       count(*) FILTER (WHERE reason IS NULL AND duration_ms IS NULL)
  FROM plan_video
