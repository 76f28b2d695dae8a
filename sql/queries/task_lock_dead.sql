-- Holds a dead task until the transaction's end. By primary key. $1 int8 id.  Gives id int8; no row when it is not dead (any more).
SELECT id FROM task WHERE id = $1 AND state = 'dead' FOR UPDATE
