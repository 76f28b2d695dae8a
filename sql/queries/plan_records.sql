-- The records of a job, by the cut, in key order within each shard. Walks plan_run and plan_video once. $1 int8 job.
INSERT INTO record (job_id, shard_id, video_id, etag)
SELECT $1::int8, s.id, t.id, t.etag
  FROM plan_run r JOIN shard s ON s.job_id = $1 AND s.ordinal = r.ordinal JOIN plan_video t ON t.n BETWEEN r.first AND r.last
 ORDER BY t.n
