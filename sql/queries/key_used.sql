-- Notes that a key was used, once a minute at most, whichever process notes it. By primary key. $1 int8 id.
UPDATE api_key SET last_used_at = now() WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
