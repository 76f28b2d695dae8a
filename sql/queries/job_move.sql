-- Moves a job from one of some states to another. By primary key.
-- $1 int8 id, $2 text[] from, $3 text to, $4 text outcome or NULL (stays), $5 jsonb error or NULL (stays).
UPDATE job
   SET state = $3, outcome = coalesce($4, outcome), error = coalesce($5::jsonb, error), version = version + 1,
       cancel_requested = cancel_requested OR $3 = 'cancelling',
       started_at = CASE WHEN started_at IS NULL AND state = 'queued' AND $3 <> 'queued' THEN now() ELSE started_at END,
       completed_at = CASE WHEN $3 IN ('completed', 'failed', 'cancelled') THEN now() END
 WHERE id = $1 AND state = ANY ($2::text[])
