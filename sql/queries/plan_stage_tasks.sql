-- The first tasks of a job that starts. Walks shard_by_job. $1 int8 job.
INSERT INTO task (kind, subject_id) SELECT 'stage', id FROM shard WHERE job_id = $1 ORDER BY ordinal ON CONFLICT DO NOTHING
