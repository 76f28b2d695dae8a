-- Forgets an earlier plan of this session.
TRUNCATE plan_video, plan_run
