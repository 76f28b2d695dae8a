-- Launched jobs of a prefix that have not ended. Scans job_active: the jobs at work, not those of the past.
-- $1 int8 prefix.  Gives count int8.
SELECT count(*) FROM job WHERE prefix_id = $1 AND launched_at IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled', 'expired')
