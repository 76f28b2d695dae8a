-- How far the index of words is behind. Walks shard_index_pending.
-- Gives pending int8 (summaries), lag_ms int8 (since the oldest was stored).
SELECT coalesce(sum(pending), 0), coalesce((date_part('epoch', now() - min(since)) * 1000)::int8, 0)
  FROM shard_index WHERE since IS NOT NULL
