-- A scan is complete. $1 int8 id, $2 int8 listed, $3 int8 videos, $4 int8 of them eligible, $5 int8 their bytes.
UPDATE prefix
   SET scan_state = 'done', scan_finished_at = now(), scan_listed = $2, scan_error = NULL,
       video_count = $3, eligible_count = $4, total_bytes = $5, version = version + 1, updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
