-- Output files of one shard are read by a task each.
ALTER TABLE shard_file
    ADD COLUMN id       int8 NOT NULL DEFAULT next_id(),
    ADD COLUMN ended_at timestamptz,        -- all of it is stored, or it was given up
    ADD COLUMN error    jsonb;              -- why it was given up
CREATE UNIQUE INDEX shard_file_id ON shard_file (id);
