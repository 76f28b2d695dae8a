-- Was this migration run? $1 int4 number. By primary key.
-- Gives count int8: 1 or 0.
SELECT count(*) FROM schema_migration WHERE number = $1
