-- So that the joins over them are planned for their size.
ANALYZE plan_video, plan_run
