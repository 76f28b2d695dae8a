-- Plans, retries, budgets, the two ways of staging and the two ways of asking a model.
--
-- A plan is a job that is not launched yet: it has its shards and records already, so that what runs is what was planned, row for
-- row. Outside it has an id of its own kind (pln_ and the same digits).
ALTER TABLE job DROP CONSTRAINT job_state_check, DROP CONSTRAINT job_select_mode_check, DROP CONSTRAINT job_staging_check;
ALTER TABLE job
    ADD CONSTRAINT job_state_check CHECK (state IN ('queued', 'planning', 'planned', 'expired', 'staging', 'running', 'ingesting',
                                                    'completed', 'failed', 'cancelling', 'cancelled')),
    ADD CONSTRAINT job_select_mode_check CHECK (select_mode IN ('new', 'all', 'failed', 'videos', 'retry', 'import')),
    ADD CONSTRAINT job_staging_check CHECK (staging IN ('auto', 'copy', 'in_place', 'none')),
    ADD COLUMN launched_at       timestamptz,          -- NULL: a plan only
    ADD COLUMN planned_at        timestamptz,
    ADD COLUMN expires_at        timestamptz,          -- of a plan that is not launched
    ADD COLUMN plan              jsonb,                -- what the plan found, as shown (written once, with the state 'planned')
    ADD COLUMN waiting           jsonb,                -- why a queued job does not start yet: {"code", "message", ...}
    ADD COLUMN retry_of          int8 REFERENCES job,
    ADD COLUMN retry_hopeless    bool NOT NULL DEFAULT false,  -- a retry takes records too that can't succeed as they are
    ADD COLUMN picked            int8[],               -- select 'videos': these
    ADD COLUMN below_minimum     text NOT NULL DEFAULT 'refuse' CHECK (below_minimum IN ('refuse', 'wait', 'on_demand')),
    ADD COLUMN preflight         text NOT NULL DEFAULT 'full' CHECK (preflight IN ('full', 'listing')),
    ADD COLUMN max_cost_micros   int8,                 -- NULL: none
    ADD COLUMN keep_staging      bool,                 -- NULL: as the service's setting says
    ADD COLUMN route             text NOT NULL DEFAULT 'batch' CHECK (route IN ('batch', 'on_demand')),
    ADD COLUMN estimated_low_micros  int8,             -- cost as planned; NULL without a price
    ADD COLUMN estimated_micros      int8,
    ADD COLUMN estimated_high_micros int8,
    ADD COLUMN currency          text,
    ADD COLUMN import_output_uri text,                 -- select 'import': read what another tool's Bedrock job left there
    ADD COLUMN import_input_uri  text;
UPDATE job SET launched_at = created_at;
ALTER TABLE job ADD CONSTRAINT job_plan_check CHECK (launched_at IS NOT NULL OR state IN ('queued', 'planning', 'planned', 'expired',
                                                                                       'failed', 'cancelled'));
DROP INDEX job_active;
CREATE INDEX job_active ON job (id) WHERE state NOT IN ('completed', 'failed', 'cancelled', 'expired');
CREATE INDEX job_retries ON job (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX job_expiring ON job (expires_at) WHERE launched_at IS NULL AND state <> 'expired';

ALTER TABLE shard
    ADD COLUMN staging                 text NOT NULL DEFAULT 'copy' CHECK (staging IN ('copy', 'in_place', 'none')),
    ADD COLUMN route                   text NOT NULL DEFAULT 'batch' CHECK (route IN ('batch', 'on_demand')),
    ADD COLUMN model_key               text NOT NULL DEFAULT '',  -- of the table of models: slots are counted by it
    ADD COLUMN input_key               text,                      -- of the JSONL, once it is written; NULL: input.jsonl in the folder
    ADD COLUMN video_bytes             int8 NOT NULL DEFAULT 0,
    ADD COLUMN planned_input_bytes     int8 NOT NULL DEFAULT 0,   -- of the JSONL, an upper bound
    ADD COLUMN estimated_input_tokens  int8 NOT NULL DEFAULT 0,
    ADD COLUMN estimated_output_tokens int8 NOT NULL DEFAULT 0,
    ADD COLUMN estimate_stored         bool NOT NULL DEFAULT false;  -- what it really took is in estimate_fit

-- Folders that Bedrock is, or is about to be, pointed at although others write there: one shard at a time, and none inside another.
CREATE TABLE folder_lock (
    shard_id int8 PRIMARY KEY REFERENCES shard,
    bucket   text NOT NULL,
    folder   text NOT NULL COLLATE "C"   -- with its trailing slash; '' is the bucket itself
);
CREATE INDEX folder_lock_place ON folder_lock (bucket, folder);

-- Videos that a plan did not take, and why.
CREATE TABLE plan_skip (
    job_id   int8 NOT NULL,
    video_id int8 NOT NULL,
    reason   text NOT NULL,
    PRIMARY KEY (job_id, reason, video_id)
);

-- Imports know records by the other tool's recordId.
ALTER TABLE record ADD COLUMN source_id text;
CREATE UNIQUE INDEX record_by_source ON record (job_id, source_id) WHERE source_id IS NOT NULL;

-- What a look into the object itself found, at one ETag of it.
CREATE TABLE video_media (
    video_id     int8 PRIMARY KEY,
    etag         text NOT NULL COLLATE "C",
    checked_at   timestamptz NOT NULL,
    duration_ms  int8,      -- NULL: not known
    width        int4,
    height       int4,
    container    text,      -- mp4 mov three_gp webm mkv, NULL: not read
    codec        text,
    content_type text,
    refusal      text       -- stable word why it can't be run, NULL: it can
);

-- How estimates fared against what Bedrock counted, per model and Region: sums over finished shards.
CREATE TABLE estimate_fit (
    model_key               text NOT NULL,
    region                  text NOT NULL,
    shards                  int8 NOT NULL,
    records                 int8 NOT NULL,
    estimated_input_tokens  int8 NOT NULL,
    input_tokens            int8 NOT NULL,
    estimated_output_tokens int8 NOT NULL,
    output_tokens           int8 NOT NULL,
    updated_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_key, region)
);
