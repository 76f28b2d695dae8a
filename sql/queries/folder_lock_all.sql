-- One change of folder_lock at a time in this database, until the transaction ends: two folders may overlap without being equal.
SELECT pg_advisory_xact_lock(7310868391527434)
