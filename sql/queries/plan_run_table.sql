-- The session's table of the cut: videos first..last of plan_video go to the shard of this ordinal; NULL: to none.
CREATE TEMPORARY TABLE IF NOT EXISTS plan_run (first int4 NOT NULL, last int4 NOT NULL, ordinal int4)
