-- A scan begins. $1 int8 id.
UPDATE prefix
   SET scan_state = 'running', scan_started_at = now(), scan_finished_at = NULL, scan_listed = 0, scan_error = NULL,
       version = version + 1, updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
