-- All migrations that were run, a handful of rows.
-- Gives number int4, checksum text ("\x" and hex).
SELECT number, checksum::text FROM schema_migration ORDER BY number
