-- What decides on a slot. Walks shard_taken, and for a position in the queue all that wait. $1 text model key, $2 int8 shard (0: none, and
-- no walk of the queue).
-- Gives in_flight int8, position int8 (0: it does not wait), reason text (NULL: AWS has not refused), in flight at the refusal int8,
-- ms until the refusal is over int8.
SELECT (SELECT count(*) FROM slot_taken WHERE model_key = $1),
       CASE WHEN $2::int8 <> 0 THEN coalesce((SELECT position FROM slot_queue WHERE model_key = $1 AND shard_id = $2), 0) ELSE 0 END,
       r.reason, r.in_flight, (date_part('epoch', r.until - now()) * 1000)::int8
  FROM (SELECT 1) one LEFT JOIN slot_refusal r ON r.model_key = $1
