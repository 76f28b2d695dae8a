-- What this month's jobs cost: a job that waited for videos began when it was planned.
DROP INDEX job_launched;
CREATE INDEX job_begun ON job (greatest(launched_at, planned_at)) WHERE launched_at IS NOT NULL;
