-- The records of a job over what is new (as video_count_new): in key order, dealt to the job's shards in runs of even size. Scans the
-- prefix's videos and the recipe's records once. The FULL JOIN is meant, see video_scan_merge.
-- $1 int8 job, $2 int8 prefix, $3 int4 shards, $4 bytea recipe.
INSERT INTO record (job_id, shard_id, video_id, etag)
SELECT $1::int8, (SELECT array_agg(id ORDER BY ordinal) FROM shard WHERE job_id = $1)[dealt.shard], dealt.id, dealt.etag
  FROM (SELECT v.id, v.etag, v.name, ntile($3::int4) OVER (ORDER BY v.name) AS shard
          FROM (SELECT id, etag, name FROM video WHERE prefix_id = $2 AND vanished_at IS NULL AND reason IS NULL) v
          FULL JOIN (SELECT r.video_id, r.etag
                       FROM job j JOIN record r ON r.job_id = j.id LEFT JOIN summary s ON s.record_id = r.id
                       WHERE j.prefix_id = $2 AND j.recipe = $4
                         AND (s.state = 'succeeded'
                              OR (s.record_id IS NULL AND j.state NOT IN ('completed', 'failed', 'cancelled')))) answered
            ON answered.video_id = v.id AND answered.etag = v.etag
         WHERE answered.video_id IS NULL) dealt
 ORDER BY dealt.name
