-- What decides on a slot. Walks shard_in_flight, twice. $1 text model key, $2 int8 shard (0: none).
-- Gives in_flight int8, position int8 (0: it does not wait), reason text (NULL: AWS has not refused), in flight at the refusal int8,
-- ms until the refusal is over int8.
SELECT (SELECT count(*) FROM shard
         WHERE model_key = $1 AND route = 'batch'
           AND (state = 'running' OR (state = 'submitting' AND submit_started_at IS NOT NULL))),
       coalesce((SELECT position FROM slot_queue WHERE model_key = $1 AND shard_id = $2), 0),
       r.reason, r.in_flight, (date_part('epoch', r.until - now()) * 1000)::int8
  FROM (SELECT 1) one LEFT JOIN slot_refusal r ON r.model_key = $1
