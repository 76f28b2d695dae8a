-- Keeps a line that could not be used, unless the shard has enough of them. Walks the unique index of unread_line.
-- $1 int8 job, $2 int8 shard, $3 text file, $4 int8 offset, $5 int8 bytes, $6 text kind, $7 text problem, $8 text head, $9 int8 most.
INSERT INTO unread_line (job_id, shard_id, file, at_byte, bytes, kind, problem, head)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
 WHERE (SELECT count(*) FROM unread_line WHERE shard_id = $2) < $9::int8
ON CONFLICT DO NOTHING
