-- Numbers for new videos, so that their ids can come with the COPY: a default that is computed row by row would make it insert row by row.
-- They follow each other unless another session drew some in between.
-- $1 int8 how many.  Gives time_part int8 (next_id's), first int8, last int8 (of the sequence).
SELECT ((date_part('epoch', clock_timestamp()) * 1000)::int8 - 1577836800000) << 22, min(n), max(n)
  FROM (SELECT nextval('id_seq') AS n FROM generate_series(1, $1)) drawn
