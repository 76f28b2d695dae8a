-- What keeps failing, with its story, and the lines of an output that could not be used.
--
-- A step that is given up leaves its task as 'dead'. job_id: the job that it belongs to, so that the job can tell; NULL for others.
ALTER TABLE task
    ADD COLUMN lost          int4 NOT NULL DEFAULT 0,   -- leases that ran out in a row: the worker was gone, or stood still
    ADD COLUMN failing_since timestamptz,               -- the first of the failures in a row
    ADD COLUMN job_id        int8;
CREATE INDEX task_dead ON task (id) WHERE state = 'dead';
CREATE INDEX task_dead_of_job ON task (job_id) WHERE state = 'dead';

-- Lines that are malformed, or whose record is none of the shard's: the first hundred of a shard, each cut to its head. All are counted in shard.
CREATE TABLE unread_line (
    id       int8 PRIMARY KEY DEFAULT next_id(),
    job_id   int8 NOT NULL,
    shard_id int8 NOT NULL,
    file     text NOT NULL,        -- the key of the output file
    at_byte  int8 NOT NULL,
    bytes    int8 NOT NULL,        -- its length, line feed included
    kind     text NOT NULL CHECK (kind IN ('malformed', 'unknown')),
    problem  text NOT NULL,
    head     text NOT NULL,        -- what cannot be stored became U+FFFD
    UNIQUE (shard_id, file, at_byte)
);
CREATE INDEX unread_line_by_job ON unread_line (job_id, id);
