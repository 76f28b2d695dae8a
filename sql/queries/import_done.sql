-- All is read: the shard has its records and is to be ingested, the job its prefixes, and what was read is forgotten. By keys.
-- $1 int8 job, $2 int8 shard, $3 int8 records.
WITH forgotten AS (
    DELETE FROM import_line WHERE job_id = $1
), files AS (
    DELETE FROM shard_file WHERE shard_id = $2
), ready AS (
    UPDATE shard SET state = 'ingesting', record_count = $3, ingest_round = 1 WHERE id = $2
)
UPDATE job
   SET state = 'ingesting', version = version + 1, started_at = coalesce(started_at, now()),
       prefix_id = (SELECT v.prefix_id FROM record r JOIN video v ON v.id = r.video_id WHERE r.job_id = $1 ORDER BY r.id LIMIT 1),
       import_prefixes = (SELECT array_agg(DISTINCT v.prefix_id) FROM record r JOIN video v ON v.id = r.video_id WHERE r.job_id = $1)
 WHERE id = $1
