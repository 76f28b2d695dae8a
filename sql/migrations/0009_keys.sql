-- Keys of the API. A row is never removed: once there was one, whoever calls is asked for a key, and jobs and the log of changes go on
-- naming it. Of a secret only its SHA-256 is here.
CREATE TABLE api_key (
    id                    int8 PRIMARY KEY,       -- given by the service: it is part of the key's text
    name                  text NOT NULL,
    scopes                text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ '{read,run,admin}'),
    prefixes              text[],                 -- s3://bucket/path/ that it may see and use, NULL: all
    models                text[],                 -- that it may run, NULL: all
    monthly_budget_micros int8,                   -- of the jobs that it began in a calendar month, NULL: no limit
    secret_hash           bytea NOT NULL,
    previous_hash         bytea,                  -- of the secret before the latest rotation
    previous_until        timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    created_by            int8,                   -- key, NULL: the command line, the bootstrap key, or nobody was asked
    rotated_at            timestamptz,
    expires_at            timestamptz,
    revoked_at            timestamptz,
    last_used_at          timestamptz,            -- to a minute
    CHECK (NOT scopes @> '{admin}' OR (prefixes IS NULL AND models IS NULL AND monthly_budget_micros IS NULL))
);

-- Every change that somebody asked for, in the transaction that made it.
CREATE TABLE audit (
    id         int8 PRIMARY KEY DEFAULT next_id(),
    at         timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),  -- as it is shown, so that lists can be cut there
    key_id     int8,            -- NULL: see who
    who        text NOT NULL,   -- the key's name; cli, bootstrap, or open: nobody was asked
    action     text NOT NULL,   -- job.cancel
    subject    text,            -- public id of what was changed
    address    text,            -- of the client, NULL: the command line
    request_id text
);
CREATE INDEX audit_by_key ON audit (key_id, id) WHERE key_id IS NOT NULL;

-- The key that began a job: it is charged to that key's budget. NULL: nobody was asked.
ALTER TABLE job ADD COLUMN key_id int8;
CREATE INDEX job_begun_by ON job (key_id, (greatest(launched_at, planned_at))) WHERE key_id IS NOT NULL AND launched_at IS NOT NULL;

-- What a search asks of `words` (see 0007), and within these prefixes only; NULL: all.
CREATE FUNCTION summary_query_within(words text, prefix_id int8, job_id int8, within int8[]) RETURNS tsquery LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN within IS NULL THEN q
                ELSE q && coalesce((SELECT string_agg('''#p' || p || '''', ' | ') FROM unnest(within) p), '''#p0''')::tsquery END
      FROM summary_query(words, prefix_id, job_id) q
$$;
