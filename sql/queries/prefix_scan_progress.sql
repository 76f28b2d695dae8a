-- So many objects were listed so far. $1 int8 id, $2 int8 listed.
UPDATE prefix SET scan_listed = $2, version = version + 1, updated_at = now() WHERE id = $1 AND deleted_at IS NULL
