-- The shards of the cut. Walks plan_run and plan_video once. $1 int8 most frames of a video, $2 int8 frames a
-- second.
-- Gives ordinal int4, records int8, video bytes int8, known frames int8, videos of unknown length int8, known milliseconds int8.
SELECT r.ordinal, count(*), sum(t.size_bytes), coalesce(sum(least(greatest((t.duration_ms * $2 + 999) / 1000, 1), $1)), 0),
       count(*) FILTER (WHERE t.duration_ms IS NULL), coalesce(sum(t.duration_ms), 0)
  FROM plan_run r JOIN plan_video t ON t.n BETWEEN r.first AND r.last
 WHERE r.ordinal IS NOT NULL
 GROUP BY r.ordinal ORDER BY r.ordinal
