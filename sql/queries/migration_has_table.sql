-- Is there a table of migrations? Scans the catalog by name.
-- Gives count int8: 1 or 0.
SELECT count(to_regclass('schema_migration'))
