-- A prefix goes: its plans go too; a task for each removes what it chose. Walks job_unlaunched. $1 int8 prefix.
WITH gone AS (
    UPDATE job SET state = 'expired', expires_at = now(), waiting = NULL, version = version + 1
     WHERE prefix_id = $1 AND launched_at IS NULL AND state <> 'expired'
    RETURNING id)
INSERT INTO task (kind, subject_id) SELECT 'expire', id FROM gone ON CONFLICT DO NOTHING
