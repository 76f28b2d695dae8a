-- Sizes of videos first..last of what is taken, in KiB rounded up. Walks plan_video. $1 int4 after this number, $2 int4 up to this one.
-- Gives kib int8.
SELECT (size_bytes + 1023) / 1024 FROM plan_video WHERE n > $1 AND n <= $2 ORDER BY n
