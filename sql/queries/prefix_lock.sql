-- Keeps jobs and scans of a prefix from beginning (they take FOR KEY SHARE). $1 int8 id.  Gives id int8; no row when deleted.
SELECT id FROM prefix WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
