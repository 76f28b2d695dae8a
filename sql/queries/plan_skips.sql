-- Stores what a plan did not take, and why. Scans plan_video once.
-- $1 int8 job, $2 bool those too that there is nothing to be done about: they have a summary, or are about to.
INSERT INTO plan_skip (job_id, video_id, reason)
SELECT $1::int8, id, reason FROM plan_video
 WHERE reason IS NOT NULL AND ($2::bool OR reason NOT IN ('has_summary', 'in_progress', 'not_failed'))
