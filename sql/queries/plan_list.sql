-- Ids of a page of plans, newest first. Walks job_plans backward. $1 int8 before this id, $2 int8 prefix or NULL, $3 int8 limit,
-- $4 int8[] only of these prefixes, NULL: all.  Gives id int8.
SELECT id FROM job WHERE is_plan AND id < $1 AND ($2::int8 IS NULL OR prefix_id = $2) AND ($4::int8[] IS NULL OR prefix_id = ANY($4))
 ORDER BY id DESC LIMIT $3
