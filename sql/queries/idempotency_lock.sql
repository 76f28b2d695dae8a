-- Makes a second request with the same key wait for the first one's transaction. $1 text route, $2 text key.
SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 0))
