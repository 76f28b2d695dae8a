-- Moves a shard from one of some states to another. By primary key.
-- $1 int8 id, $2 text[] from, $3 text to, $4 jsonb error or NULL (stays).
UPDATE shard
   SET state = $3, error = coalesce($4::jsonb, error),
       completed_at = CASE WHEN $3 IN ('completed', 'failed', 'cancelled') THEN now() END
 WHERE id = $1 AND state = ANY ($2::text[])
