-- One giver of slots of a model at a time in this database, until the transaction ends. $1 text model key.
SELECT pg_advisory_xact_lock(hashtextextended($1, 7310868391527433))
