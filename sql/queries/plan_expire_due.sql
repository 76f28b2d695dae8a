-- Plans whose time is over, at most 100, are; a task for each removes what it chose. Walks job_expiring.
WITH due AS (
    UPDATE job SET state = 'expired', waiting = NULL, version = version + 1
     WHERE id IN (SELECT id FROM job WHERE launched_at IS NULL AND state <> 'expired' AND expires_at < now()
                   ORDER BY expires_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id)
INSERT INTO task (kind, subject_id) SELECT 'expire', id FROM due ON CONFLICT DO NOTHING
