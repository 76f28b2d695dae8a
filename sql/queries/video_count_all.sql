-- How many videos a job over all of a prefix would take: those that are there and can be run. Scans the prefix's videos once.
-- $1 int8 prefix.  Gives count int8.
SELECT count(*) FROM video WHERE prefix_id = $1 AND vanished_at IS NULL AND reason IS NULL
