-- The rows of a shard are stored: their words are to be indexed, from its first record on. By primary keys. Nothing where no summary
-- succeeded.
-- $1 int8 shard.
INSERT INTO shard_index AS i (shard_id, pending, since)
SELECT id, succeeded, now() FROM shard WHERE id = $1 AND succeeded > 0
ON CONFLICT (shard_id) DO UPDATE SET through = 0, pending = excluded.pending, since = coalesce(i.since, excluded.since)
