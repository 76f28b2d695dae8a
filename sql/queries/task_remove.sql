-- Removes a task that is not running (ready or dead). One row by its key.
-- $1 text kind, $2 int8 subject.
DELETE FROM task WHERE kind = $1 AND subject_id = $2 AND state <> 'running'
