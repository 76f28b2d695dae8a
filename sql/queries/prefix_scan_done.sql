-- A scan is complete; where another was asked for meanwhile, that one is due. The prefix's row is locked already, as who asks for one does
-- first, so that none is overlooked. $1 int8 id, $2 int8 listed, $3 int8 videos, $4 int8 of them eligible, $5 int8 their bytes.
UPDATE prefix
   SET scan_state = CASE WHEN EXISTS (SELECT FROM task WHERE kind = 'scan' AND subject_id = $1 AND poked) THEN 'queued' ELSE 'done' END,
        scan_finished_at = now(), scan_listed = $2, scan_error = NULL,
       video_count = $3, eligible_count = $4, total_bytes = $5, version = version + 1, updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
