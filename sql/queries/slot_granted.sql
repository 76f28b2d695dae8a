-- AWS took another one: the next may be asked for at once. The refusal is forgotten where it was throttling, or once as many are there as
-- there may be. Walks shard_taken. $1 text model key, $2 int8 most at a time.
WITH now_there AS MATERIALIZED (
    SELECT count(*) AS shards FROM slot_taken WHERE model_key = $1
), forgotten AS (
    DELETE FROM slot_refusal USING now_there WHERE model_key = $1 AND (reason = 'throttled' OR now_there.shards >= $2)
)
UPDATE slot_refusal SET until = now(), refusals = 0, in_flight = greatest(in_flight, now_there.shards)
  FROM now_there WHERE model_key = $1 AND reason = 'quota' AND now_there.shards < $2
