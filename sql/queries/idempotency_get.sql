-- The remembered answer. $1 text route, $2 text key, $3 bytea hash of the body. By primary key.
-- Gives status int4, location text, body text, same_body bool.
SELECT status, location, body, body_hash = $3 FROM idempotency WHERE route = $1 AND key = $2
