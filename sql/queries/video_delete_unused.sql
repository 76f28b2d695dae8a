-- Removes the videos of a prefix that no job has ever taken. Scans the prefix's videos and the records of its jobs once. The FULL JOIN
-- is meant, see video_scan_merge. $1 int8 prefix.
DELETE FROM video
 WHERE id IN (SELECT v.id
                FROM (SELECT id FROM video WHERE prefix_id = $1) v
                FULL JOIN (SELECT r.video_id FROM job j JOIN record r ON r.job_id = j.id WHERE j.prefix_id = $1) used
                  ON used.video_id = v.id
               WHERE used.video_id IS NULL)
