-- Ends a key for ever. By primary key. $1 int8 id. No row is touched where it is revoked already, or not there.
UPDATE api_key SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL
