-- Output files of one shard are read by a task each.
ALTER TABLE shard_file
    ADD COLUMN id       int8 NOT NULL DEFAULT next_id(),
    ADD COLUMN ended_at timestamptz,        -- all of it is stored, or it was given up
    ADD COLUMN error    jsonb;              -- why it was given up
CREATE UNIQUE INDEX shard_file_id ON shard_file (id);

-- An import learns which prefix its videos lie under when it has read what another tool's job left.
ALTER TABLE job
    ALTER COLUMN prefix_id DROP NOT NULL,
    ADD CONSTRAINT job_prefix_check CHECK (prefix_id IS NOT NULL OR select_mode = 'import');
CREATE INDEX job_imports ON job (import_output_uri, id) WHERE import_output_uri IS NOT NULL;
-- What an import has read so far: the other tool's recordId and its video. Turned into records once all is read.
CREATE TABLE import_line (
    job_id    int8 NOT NULL,
    source_id text NOT NULL,
    bucket    text NOT NULL,
    key       text NOT NULL COLLATE "C"
);
CREATE INDEX import_line_by_job ON import_line (job_id);
