-- Imports of one place follow each other until the transaction ends. $1 text output URI.
SELECT pg_advisory_xact_lock(hashtextextended('vidbatch import ' || $1, 0))
