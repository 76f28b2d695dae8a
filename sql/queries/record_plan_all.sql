-- The records of a job over all that can be run: in key order, dealt to the job's shards in runs of even size. Scans and sorts the
-- prefix's videos once.
-- $1 int8 job, $2 int8 prefix, $3 int4 shards.
INSERT INTO record (job_id, shard_id, video_id, etag)
SELECT $1::int8, (SELECT array_agg(id ORDER BY ordinal) FROM shard WHERE job_id = $1)[dealt.shard], dealt.id, dealt.etag
  FROM (SELECT v.id, v.etag, v.name, ntile($3::int4) OVER (ORDER BY v.name) AS shard
          FROM video v
         WHERE v.prefix_id = $2 AND v.vanished_at IS NULL AND v.reason IS NULL) dealt
 ORDER BY dealt.name
