-- Ends a shard that has not ended, with counts from what is stored: its records by record_by_shard, each summary by its key.
-- $1 int8 id, $2 text state, $3 jsonb error or NULL (none).
UPDATE shard
   SET state = $2, error = $3::jsonb, completed_at = now(), succeeded = stored.succeeded, failed = stored.failed,
       missing = stored.missing, input_tokens = stored.input_tokens, output_tokens = stored.output_tokens
  FROM (SELECT count(*) FILTER (WHERE s.state = 'succeeded') AS succeeded, count(*) FILTER (WHERE s.state = 'failed') AS failed,
               count(*) FILTER (WHERE s.state = 'missing') AS missing,
               coalesce(sum(s.input_tokens), 0) AS input_tokens, coalesce(sum(s.output_tokens), 0) AS output_tokens
          FROM record r JOIN summary s ON s.record_id = r.id
         WHERE r.shard_id = $1) stored
 WHERE id = $1 AND state NOT IN ('completed', 'failed', 'cancelled')
