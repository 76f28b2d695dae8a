-- Makes the table of migrations where it is missing; the caller holds the lock of migration_lock, for two at once would collide.
CREATE TABLE IF NOT EXISTS schema_migration (
    number     int4 PRIMARY KEY,
    name       text NOT NULL,
    checksum   bytea NOT NULL, -- SHA-256 of the text that was run
    applied_at timestamptz NOT NULL DEFAULT now()
)
