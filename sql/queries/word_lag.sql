-- How far the index of words is behind. Walks shard_index_pending; for some prefixes, the shard and the job of each row by key.
-- $1 int8[] only of these prefixes, NULL: all.
-- Gives pending int8 (summaries), lag_ms int8 (since the oldest was stored). A shard of which nothing is pending may wait for
-- its last look.
SELECT coalesce(sum(pending), 0), coalesce((date_part('epoch', now() - min(since)) * 1000)::int8, 0)
  FROM shard_index i
 WHERE since IS NOT NULL AND pending > 0
   AND ($1::int8[] IS NULL OR EXISTS (SELECT FROM shard s JOIN job j ON j.id = s.job_id WHERE s.id = i.shard_id AND j.prefix_id = ANY($1)))
