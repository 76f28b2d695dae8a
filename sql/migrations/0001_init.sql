-- The first schema. Ids are 64-bit, ordered by time and unique for ever: milliseconds since 2020 above 22 bits of a sequence that
-- starts at a random place, so that neither a restored older database nor a second installation on the same bucket repeats one.
CREATE SEQUENCE id_seq AS int8 MINVALUE 0 MAXVALUE 4611686018427387903 START 0 CYCLE;
SELECT setval('id_seq', (random() * 4194303)::int8);
CREATE FUNCTION next_id() RETURNS int8 LANGUAGE sql VOLATILE AS $$
    SELECT ((date_part('epoch', clock_timestamp()) * 1000)::int8 - 1577836800000) << 22 | (nextval('id_seq') & 4194303)
$$;

-- Times go out as milliseconds since 1970. Inlined by the planner.
CREATE FUNCTION epoch_ms(timestamptz) RETURNS int8 LANGUAGE sql STABLE AS $$
    SELECT (date_part('epoch', $1) * 1000)::int8
$$;

-- A registered S3 bucket + key prefix. A deleted one is hidden, not removed: its jobs and summaries were paid for.
CREATE TABLE prefix (
    id               int8 PRIMARY KEY DEFAULT next_id(),
    bucket           text NOT NULL,
    key_prefix       text NOT NULL COLLATE "C",
    name             text NOT NULL,
    bucket_owner     text,
    region           text NOT NULL,
    suffixes         text[] NOT NULL,
    version          int4 NOT NULL DEFAULT 1,
    scan_state       text NOT NULL DEFAULT 'queued' CHECK (scan_state IN ('queued', 'running', 'done', 'failed')),
    scan_started_at  timestamptz,
    scan_finished_at timestamptz,
    scan_listed      int8 NOT NULL DEFAULT 0,
    scan_error       jsonb,
    video_count      int8 NOT NULL DEFAULT 0,
    eligible_count   int8 NOT NULL DEFAULT 0,
    total_bytes      int8 NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    deleted_at       timestamptz
);
CREATE UNIQUE INDEX prefix_place ON prefix (bucket, key_prefix) WHERE deleted_at IS NULL;

-- One object under a prefix. Rows stay narrow, for there may be tens of millions: the name is the key without the prefix, and
-- what is NULL for nearly all (reason, vanished_at) costs nothing. Lists walk video_eligible and video_refused in S3's own key order:
-- a page of one kind must not read all rows of the other, nor those that vanished. A row that is there is in just one of the two.
-- No foreign key: checking it a million times is a quarter of a first scan, and the scan's one statement locks the prefix anyway.
CREATE TABLE video (
    id          int8 PRIMARY KEY DEFAULT next_id(),
    prefix_id   int8 NOT NULL,
    size_bytes  int8 NOT NULL,
    modified_at timestamptz NOT NULL,
    vanished_at timestamptz,                -- not seen by the latest scan; a new sighting clears it
    name        text NOT NULL COLLATE "C",
    etag        text NOT NULL COLLATE "C",  -- with its quotes, as S3 gives it
    reason      text                        -- why it can't be run; NULL: eligible
);
CREATE UNIQUE INDEX video_place ON video (prefix_id, name);
CREATE INDEX video_eligible ON video (prefix_id, name) WHERE vanished_at IS NULL AND reason IS NULL;
CREATE INDEX video_refused ON video (prefix_id, name) WHERE vanished_at IS NULL AND reason IS NOT NULL;

-- One run of a prompt and a model over videos of a prefix. Its counts are those of its shards, never stored twice.
CREATE TABLE job (
    id               int8 PRIMARY KEY DEFAULT next_id(),
    prefix_id        int8 NOT NULL REFERENCES prefix,
    name             text NOT NULL,
    state            text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'planning', 'staging', 'running', 'ingesting',
                                                                    'completed', 'failed', 'cancelling', 'cancelled')),
    outcome          text CHECK (outcome IN ('success', 'partial', 'failure')),
    model_id         text NOT NULL,
    prompt           text NOT NULL,
    system           text,
    max_tokens       int4,
    temperature      float8,
    top_p            float8,
    top_k            int4,
    recipe           bytea NOT NULL,        -- SHA-256 of model, prompt, system and inference: what makes two runs the same question
    select_mode      text NOT NULL CHECK (select_mode IN ('new', 'all')),
    staging          text NOT NULL CHECK (staging IN ('copy')),
    metadata         jsonb,
    version          int4 NOT NULL DEFAULT 1,
    error            jsonb,                 -- {"code", "message", "upstream"?}
    cancel_requested bool NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    completed_at     timestamptz
);
CREATE INDEX job_by_prefix ON job (prefix_id, id);
CREATE INDEX job_by_state ON job (state, id);
CREATE INDEX job_active ON job (id) WHERE state NOT IN ('completed', 'failed', 'cancelled');

-- The part of a job that is one Bedrock model invocation job. Folder, name and token are committed here before AWS hears of them.
CREATE TABLE shard (
    id                    int8 PRIMARY KEY DEFAULT next_id(),
    job_id                int8 NOT NULL REFERENCES job,
    ordinal               int4 NOT NULL,
    state                 text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'staging', 'submitting', 'running', 'ingesting',
                                                                          'completed', 'failed', 'cancelled')),
    record_count          int4 NOT NULL,
    staged_through        int8 NOT NULL DEFAULT 0,   -- videos of records up to this id are copied
    input_bytes           int8,
    folder_uri            text NOT NULL,
    output_uri            text NOT NULL,
    bedrock_name          text NOT NULL UNIQUE,
    client_token          text NOT NULL UNIQUE,
    submit_started_at     timestamptz,               -- from here on AWS may know the job: look it up before creating
    create_sent_at        timestamptz,               -- the latest CreateModelInvocationJob whose answer may be missing
    bedrock_arn           text,
    bedrock_status        text,                      -- verbatim
    bedrock_message       text,
    bedrock_processed     int8,
    submitted_at          timestamptz,
    ingest_round          int4 NOT NULL DEFAULT 0,   -- grows with every (re)ingest
    succeeded             int8 NOT NULL DEFAULT 0,
    failed                int8 NOT NULL DEFAULT 0,
    missing               int8 NOT NULL DEFAULT 0,
    unknown_lines         int8 NOT NULL DEFAULT 0,   -- a recordId that is not of this shard
    malformed_lines       int8 NOT NULL DEFAULT 0,
    duplicate_lines       int8 NOT NULL DEFAULT 0,
    input_tokens          int8 NOT NULL DEFAULT 0,
    output_tokens         int8 NOT NULL DEFAULT 0,
    manifest_input_tokens  int8,                     -- what manifest.json.out says, where there is one
    manifest_output_tokens int8,
    error                 jsonb,
    created_at            timestamptz NOT NULL DEFAULT now(),
    completed_at          timestamptz
);
CREATE UNIQUE INDEX shard_by_job ON shard (job_id, ordinal);
CREATE INDEX shard_in_flight ON shard (submitted_at) WHERE state IN ('submitting', 'running');

-- How far each output file of a shard has been stored.
CREATE TABLE shard_file (
    shard_id    int8 NOT NULL REFERENCES shard,
    key         text NOT NULL COLLATE "C",
    etag        text NOT NULL,
    size_bytes  int8 NOT NULL,
    next_offset int8 NOT NULL DEFAULT 0,
    PRIMARY KEY (shard_id, key)
);

-- One video in a job: written once by the plan, never changed. Its state is that of its summary row, pending without one.
CREATE TABLE record (
    id       int8 PRIMARY KEY DEFAULT next_id(),
    job_id   int8 NOT NULL,
    shard_id int8 NOT NULL,
    video_id int8 NOT NULL,
    etag     text NOT NULL COLLATE "C"   -- of the object as planned: the provenance of the summary
);
CREATE INDEX record_by_job ON record (job_id, id);
CREATE INDEX record_by_shard ON record (shard_id, id);

-- What became of a record: the model's answer, an error, or the fact that there was no result. Written by COPY, hence no foreign keys:
-- the ingest takes only ids that it has read from record.
CREATE TYPE summary_state AS ENUM ('succeeded', 'failed', 'missing');
CREATE TABLE summary (
    record_id       int8 PRIMARY KEY,
    job_id          int8 NOT NULL,
    shard_id        int8 NOT NULL,
    video_id        int8 NOT NULL,
    created_at      timestamptz NOT NULL,
    state           summary_state NOT NULL,
    ingest_round    int4 NOT NULL,
    input_tokens    int4,
    output_tokens   int4,
    error_code      int4,           -- Bedrock's number
    error_retryable bool,
    text_altered    bool NOT NULL,
    stop_reason     text,
    error_reason    text,           -- 'bedrock', or our own word: 'source_vanished', 'no_result' ...
    error_message   text,
    text            text,           -- the model's words
    summary         text,           -- NULL: same as text
    thinking        text
);
CREATE INDEX summary_by_job ON summary (job_id, record_id);
CREATE INDEX summary_by_video ON summary (video_id, record_id);
CREATE INDEX summary_not_succeeded ON summary (job_id, state, record_id) WHERE state <> 'succeeded';

-- Work to be done, at most one of a kind for a subject. A worker owns a task by a lease; `attempt` fences a worker whose lease ran out.
CREATE TABLE task (
    id          int8 PRIMARY KEY DEFAULT next_id(),
    kind        text NOT NULL,
    subject_id  int8 NOT NULL,
    state       text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'running', 'dead')),
    run_at      timestamptz NOT NULL DEFAULT now(),
    attempt     int4 NOT NULL DEFAULT 0,       -- times claimed
    failures    int4 NOT NULL DEFAULT 0,       -- in a row
    lease_until timestamptz,
    worker      text,
    poked       bool NOT NULL DEFAULT false,   -- asked for again while it runs: run once more afterwards
    last_error  text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, subject_id)
);
CREATE INDEX task_due ON task (run_at) WHERE state = 'ready';
CREATE INDEX task_leased ON task (lease_until) WHERE state = 'running';
CREATE FUNCTION task_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('vidbatch_task', '');
    RETURN NULL;
END $$;
CREATE TRIGGER task_wake AFTER INSERT OR UPDATE OF run_at ON task FOR EACH STATEMENT EXECUTE FUNCTION task_notify();
-- The watch of Bedrock jobs is one task for ever, whatever the number of replicas.
INSERT INTO task (kind, subject_id) VALUES ('watch', 0);

-- The story of a job.
CREATE TABLE event (
    id     int8 PRIMARY KEY DEFAULT next_id(),
    job_id int8 NOT NULL REFERENCES job,
    at     timestamptz NOT NULL DEFAULT now(),
    kind   text NOT NULL,
    detail jsonb
);
CREATE INDEX event_by_job ON event (job_id, id);

-- Answers to POSTs that carried an Idempotency-Key, written in the transaction of what they created.
CREATE TABLE idempotency (
    route      text NOT NULL,
    key        text NOT NULL,
    body_hash  bytea NOT NULL,
    status     int4 NOT NULL,
    location   text,
    body       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (route, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
