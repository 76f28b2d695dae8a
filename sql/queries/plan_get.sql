-- What a plan found, part by part. By primary key. $1 int8 id.
-- Gives request, videos, skipped, staging, shards, shard_count, tokens, cost, estimate: JSON text, NULL where there is none.
SELECT plan -> 'request', plan -> 'videos', plan -> 'skipped', plan -> 'staging', plan -> 'shards', plan -> 'shard_count',
       plan -> 'tokens', plan -> 'cost', plan -> 'estimate'
  FROM job WHERE id = $1
