-- Removes videos of a deleted prefix that no job has ever taken, and what looks into them found, so many at a time: none while the prefix
-- is there. Nobody adds to a deleted prefix, so once there are fewer than the limit there are no more. Scans the prefix's videos until the
-- limit is reached, and the records of its jobs. The FULL JOIN is meant: an anti join over a million rows that the planner takes for one
-- becomes a loop that never ends. $1 int8 prefix, $2 int8 limit.
WITH unused AS MATERIALIZED (
    SELECT v.id
      FROM (SELECT id FROM video WHERE prefix_id = $1) v
      FULL JOIN (SELECT r.video_id FROM job j JOIN record r ON r.job_id = j.id WHERE j.prefix_id = $1) used
        ON used.video_id = v.id
     WHERE used.video_id IS NULL AND EXISTS (SELECT FROM prefix WHERE id = $1 AND deleted_at IS NOT NULL)
     LIMIT $2
), looks AS (
    DELETE FROM video_media WHERE video_id IN (SELECT id FROM unused)
)
DELETE FROM video WHERE id IN (SELECT id FROM unused)
