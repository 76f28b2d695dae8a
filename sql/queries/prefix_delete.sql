-- Hides a prefix. $1 int8 id.
UPDATE prefix SET deleted_at = now(), updated_at = now(), version = version + 1 WHERE id = $1
