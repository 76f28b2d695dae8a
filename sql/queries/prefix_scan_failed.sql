-- A scan failed; what the last one found stays. The row is locked already, see prefix_scan_done. $1 int8 id, $2 int8 listed, $3 jsonb error.
UPDATE prefix
   SET scan_state = CASE WHEN EXISTS (SELECT FROM task WHERE kind = 'scan' AND subject_id = $1 AND poked) THEN 'queued' ELSE 'failed' END,
        scan_finished_at = now(), scan_listed = $2, scan_error = $3,
       version = version + 1, updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
