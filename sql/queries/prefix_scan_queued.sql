-- A scan was asked for; one that runs goes on and is shown as running. $1 int8 id.
UPDATE prefix
   SET scan_state = CASE scan_state WHEN 'running' THEN scan_state ELSE 'queued' END, version = version + 1, updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
