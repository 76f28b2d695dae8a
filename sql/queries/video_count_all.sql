-- How many videos a job over all of a prefix would take: those that are there and can be run. Walks video_eligible.
-- $1 int8 prefix, $2 int8 stop at so many or NULL.  Gives count int8.
SELECT count(*) FROM (SELECT FROM video WHERE prefix_id = $1 AND vanished_at IS NULL AND reason IS NULL LIMIT $2) taken
