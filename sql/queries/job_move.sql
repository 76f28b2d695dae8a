-- Moves a job from one of some states to another. By primary key.
-- $1 int8 id, $2 text[] from, $3 text to, $4 text outcome or NULL (stays), $5 jsonb error or NULL (stays). A job that leaves
-- a final state (it is ingested again) has neither any more.
UPDATE job
   SET state = $3, version = version + 1,
       outcome = coalesce($4, CASE WHEN completed_at IS NULL THEN outcome END),
       error = coalesce($5::jsonb, CASE WHEN completed_at IS NULL THEN error END),
       cancel_requested = cancel_requested OR $3 = 'cancelling',
       started_at = CASE WHEN started_at IS NULL AND state = 'queued' AND $3 <> 'queued' THEN now() ELSE started_at END,
       completed_at = CASE WHEN $3 IN ('completed', 'failed', 'cancelled') THEN now() END
 WHERE id = $1 AND state = ANY ($2::text[])
