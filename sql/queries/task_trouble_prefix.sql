-- The same of a prefix: its scan. One row by its key. $1 int8 prefix.
SELECT id, kind, last_error, failures, epoch_ms(run_at), epoch_ms(failing_since), state = 'dead' FROM task
 WHERE kind = 'scan' AND subject_id = $1 AND failures > 0 AND last_error IS NOT NULL
