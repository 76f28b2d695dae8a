-- A scan is complete: counts the prefix's videos anew, which scans all of them once. $1 int8 id, $2 int8 listed.
UPDATE prefix
   SET scan_state = 'done', scan_finished_at = now(), scan_listed = $2, scan_error = NULL,
       video_count = found.videos, eligible_count = found.eligible, total_bytes = found.bytes,
       version = version + 1, updated_at = now()
  FROM (SELECT count(*) AS videos, count(*) FILTER (WHERE reason IS NULL) AS eligible,
               coalesce(sum(size_bytes), 0)::int8 AS bytes
          FROM video WHERE prefix_id = $1 AND vanished_at IS NULL) found
 WHERE id = $1 AND deleted_at IS NULL
