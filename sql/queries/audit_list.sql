-- A page of the log of changes, newest first. Walks the primary key, or audit_by_key, backward (planned for what is given).
-- $1 int8 before this id, $2 int8 key or NULL, $3 timestamptz from or NULL, $4 timestamptz to or NULL, $5 int8 limit.
-- Columns: audit_row_read.
SELECT id, epoch_ms(at), key_id, who, action, subject, address, request_id
  FROM audit
 WHERE id < $1 AND ($2::int8 IS NULL OR key_id = $2) AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4)
 ORDER BY id DESC LIMIT $5
