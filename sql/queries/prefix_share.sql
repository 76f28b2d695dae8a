-- Keeps a prefix from being deleted until the transaction ends. $1 int8 id.  Gives id int8; no row when deleted.
SELECT id FROM prefix WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE
