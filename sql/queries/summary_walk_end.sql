-- The last row that summary_walk looks at. Walks the primary key backward.
-- $1 int8 below this record, $2 int8 rows that are looked at.  Gives record_id int8; no row where there are fewer.
SELECT record_id FROM summary_word WHERE record_id < $1 ORDER BY record_id DESC LIMIT 1 OFFSET $2::int8 - 1
