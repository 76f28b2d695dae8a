-- Plans of one prefix follow each other until the transaction ends, so that two jobs never take the same new videos. $1 int8 prefix.
SELECT pg_advisory_xact_lock(hashtextextended('vidbatch plan', $1))
