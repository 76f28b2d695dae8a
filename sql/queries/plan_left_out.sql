-- What the cut left out is not taken. Walks plan_run and plan_video once.
UPDATE plan_video t SET reason = 'over_shard_bytes' FROM plan_run r WHERE r.ordinal IS NULL AND t.n BETWEEN r.first AND r.last
