-- Keeps everybody else from asking for a scan of a prefix until the transaction ends. $1 int8 id.
SELECT FROM prefix WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE
