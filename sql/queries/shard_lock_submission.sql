-- One submitter at a time in this database, until the transaction ends.
SELECT pg_advisory_xact_lock(7310868391527433)
