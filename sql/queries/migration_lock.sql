-- One migration at a time in this database: waits (lock_timeout bounds it) and holds until the transaction ends.
SELECT pg_advisory_xact_lock(7310868391527432)
