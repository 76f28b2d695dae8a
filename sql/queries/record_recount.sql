-- Sets record_count of a job's shards. Scans the job's records once. $1 int8 job.
UPDATE shard s SET record_count = coalesce(counted.records, 0)
  FROM (SELECT sh.id, count(r.id) AS records
          FROM shard sh LEFT JOIN record r ON r.shard_id = sh.id
         WHERE sh.job_id = $1 GROUP BY sh.id) counted
 WHERE s.id = counted.id AND s.record_count <> counted.records
