-- AWS is about to hear of it; the first moment counts. $1 int8 id.
UPDATE shard SET submit_started_at = coalesce(submit_started_at, now()) WHERE id = $1
