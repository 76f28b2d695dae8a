-- What lists of plans and jobs walk, now that both are rows of one table; and what was asked for as a plan.
ALTER TABLE job
    ADD COLUMN is_plan bool NOT NULL DEFAULT false,   -- asked for by POST /v1/plans; stays when it is launched
    ALTER COLUMN plan TYPE json USING plan::json;     -- keeps the words of the request in their order, as they will be sent
DROP INDEX job_by_prefix, job_by_state;
CREATE INDEX job_by_prefix ON job (prefix_id, id) WHERE launched_at IS NOT NULL;
CREATE INDEX job_by_state ON job (state, id) WHERE launched_at IS NOT NULL;
CREATE INDEX job_plans ON job (id) WHERE is_plan;
CREATE INDEX job_unlaunched ON job (prefix_id) WHERE launched_at IS NULL;
-- Jobs and plans that wait for more videos: looked for when a scan of their prefix ends.
CREATE INDEX job_waiting ON job (prefix_id) WHERE waiting IS NOT NULL;
-- What this month's jobs cost.
CREATE INDEX job_launched ON job (launched_at) WHERE launched_at IS NOT NULL;
