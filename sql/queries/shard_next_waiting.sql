-- The shard that has waited longest for a slot. Walks shard_in_flight.  Gives id int8, no row when none waits.
SELECT id FROM shard WHERE state = 'submitting' AND submit_started_at IS NULL ORDER BY id LIMIT 1
