-- Which of these videos a prefix does not have, at most 20. By their keys. $1 int8[] ids, $2 int8 prefix.
-- Gives place int8 (from 0), id int8.
SELECT asked.place - 1, asked.id
  FROM unnest($1::int8[]) WITH ORDINALITY AS asked (id, place) LEFT JOIN video v ON v.id = asked.id AND v.prefix_id = $2
 WHERE v.id IS NULL ORDER BY asked.place LIMIT 20
