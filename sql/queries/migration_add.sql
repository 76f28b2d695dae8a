-- Notes a migration that has just been run in this transaction. $1 int4 number, $2 text name, $3 bytea checksum.
INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)
