-- A new secret; the one before stays good for a while, the one before that does not. By primary key.
-- $1 int8 id, $2 bytea SHA-256 of the new secret, $3 int8 milliseconds that the old one stays good.
UPDATE api_key
   SET previous_hash = CASE WHEN $3::int8 > 0 THEN secret_hash END,
       previous_until = CASE WHEN $3::int8 > 0 THEN now() + $3::int8 * interval '1 millisecond' END, secret_hash = $2::bytea, rotated_at = now()
 WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
