-- AWS is about to hear of it: the first moment of what is not resolved counts, and the latest. $1 int8 id.
UPDATE shard SET submit_started_at = coalesce(submit_started_at, now()), create_sent_at = now() WHERE id = $1
