-- Removes some of what an expired plan skipped. Walks plan_skip's key. $1 int8 job, $2 int8 limit.
DELETE FROM plan_skip p USING (SELECT reason, video_id FROM plan_skip WHERE job_id = $1 ORDER BY reason, video_id LIMIT $2) page
 WHERE p.job_id = $1 AND p.reason = page.reason AND p.video_id = page.video_id
   AND EXISTS (SELECT FROM job WHERE id = $1 AND state = 'expired')
