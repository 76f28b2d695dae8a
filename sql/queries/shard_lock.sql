-- Keeps others from changing the shard until the transaction ends. $1 int8 id. By primary key.
SELECT FROM shard WHERE id = $1 FOR NO KEY UPDATE
