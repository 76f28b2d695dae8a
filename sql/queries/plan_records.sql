-- The records of a job, by the cut, in key order within each shard: run after run, each walked by its number, so that nothing is sorted
-- but the runs. Walks plan_run and plan_video once. $1 int8 job.
INSERT INTO record (job_id, shard_id, video_id, etag)
SELECT $1::int8, r.shard_id, t.id, t.etag
  FROM (SELECT s.id AS shard_id, run.first, run.last
          FROM plan_run run JOIN shard s ON s.job_id = $1 AND s.ordinal = run.ordinal ORDER BY run.first) r
 CROSS JOIN LATERAL (SELECT id, etag FROM plan_video WHERE n BETWEEN r.first AND r.last ORDER BY n) t
